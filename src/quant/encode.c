// SPDX-License-Identifier: MIT
#include "quant/encode.h"

#include "core/cpu.h"
#include "quant/encode_internal.h"
#include "quant/half.h"
#include "quant/quant.h"
#include "quant/types.h"

bool glm_quant_can_encode(uint32_t type)
{
    return glm_quant_get(type) != NULL;
}

/*
 * The first value that is not finite, n if none. Infinities and NaN have all bits of the exponent; a mask that keeps the sign finds
 * negative values too (-0 passes).
 */
static size_t first_bad(const float *v, size_t n, uint32_t mask)
{
    for (size_t i = 0; i < n; i += 64) {
        size_t end = n - i < 64 ? n : i + 64;
        uint32_t worst = 0;
        for (size_t j = i; j < end; j++) {
            uint32_t bits = glm_f32_to_bits(v[j]) & mask;
            worst = bits > worst ? bits : worst;
        }
        if (worst < 0x7f800000)
            continue;
        for (size_t j = i; j < end; j++)
            if ((glm_f32_to_bits(v[j]) & mask) >= 0x7f800000 && v[j] != 0)
                return j;
    }
    return n;
}

void glm_encoder_init(glm_encoder *encoder)
{
    encoder->row = glm_encode_row_c;
#ifdef __x86_64__
    glm_cpu cpu = glm_cpu_detect();
    if (cpu.has_avx512)
        encoder->row = glm_encode_row_avx512;
    else if (cpu.has_avx2)
        encoder->row = glm_encode_row_avx2;
#endif
}

glm_status glm_quant_encode_row(const glm_encoder *encoder, void *out, uint32_t type,
                                const float *x, const float *weights, size_t n, glm_error *err)
{
    if (!glm_quant_can_encode(type))
        return glm_fail(err, GLM_EARG, "type %s (%u) cannot be encoded", glm_type_name(type),
                        (unsigned)type);
    size_t n_elems = glm_type_get(type)->n_elems;
    if (n % n_elems != 0)
        return glm_fail(err, GLM_EARG, "a row of %zu values is no multiple of %s's block of %zu", n,
                        glm_type_name(type), n_elems);
    size_t bad = first_bad(x, n, 0x7fffffff);
    if (bad < n)
        return glm_fail(err, GLM_ENUMERIC, "value %zu of a row to encode is %f", bad,
                        (double)x[bad]);
    bad = weights ? first_bad(weights, n, 0xffffffff) : n;
    if (bad < n)
        return glm_fail(err, GLM_ENUMERIC, "importance %zu is %f, expected a finite value >= 0",
                        bad, (double)weights[bad]);
    encoder->row(out, type, x, weights, n);
    return GLM_OK;
}
