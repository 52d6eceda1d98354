// SPDX-License-Identifier: MIT
#include "grammar/trie.h"

#include <stdlib.h>

#include "core/mem.h"

static bool has_bit(const uint64_t *mask, int32_t id)
{
    return mask[(size_t)id / 64] >> ((size_t)id % 64) & 1;
}

/* Bytes that `a` and `b` begin with in common. */
static size_t common(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t n = 0;
    while (n < a_size && n < b_size && a[n] == b[n])
        n++;
    return n;
}

bool glm_trie_init(glm_trie *trie, const glm_tokenizer *tok, const struct glm_token_order *order,
                   const uint64_t *only)
{
    size_t total = 0;
    for (size_t i = 0; i < order->n; i++) {
        size_t size;
        glm_tok_bytes(tok, order->ids[i], &size);
        total = glm_add_size(total, size);
    }
    if (total >= UINT32_MAX)
        return false;
    uint32_t *open = glm_new_array(uint32_t, GLM_TOKEN_BYTES_MAX + 1); /* the last token's nodes */
    glm_trie_node *nodes = glm_new_array(glm_trie_node, total + 1);
    const char *last = "";
    size_t last_size = 0, n = 0;
    for (size_t i = 0; open && nodes && i < order->n; i++) {
        int32_t id = order->ids[i];
        size_t size;
        const char *text = glm_tok_bytes(tok, id, &size);
        if (size == 0 || size > GLM_TOKEN_BYTES_MAX || (only && !has_bit(only, id)))
            continue;
        size_t depth = common(last, last_size, text, size);
        for (size_t d = depth; d < last_size; d++)
            nodes[open[d]].skip = (uint32_t)n;
        for (size_t d = depth; d < size; d++) {
            open[d] = (uint32_t)n;
            nodes[n++] = (glm_trie_node){-1, 0, (uint16_t)d, (uint8_t)text[d]};
        }
        nodes[open[size - 1]].id = id;
        last = text;
        last_size = size;
    }
    for (size_t d = 0; open && nodes && d < last_size; d++)
        nodes[open[d]].skip = (uint32_t)n;
    bool is_built = open && nodes;
    free(open);
    if (is_built) {
        glm_trie_node *fitted = realloc(nodes, (n + 1) * sizeof *nodes);
        *trie = (glm_trie){fitted ? fitted : nodes, n};
    } else {
        free(nodes);
    }
    return is_built;
}

void glm_trie_deinit(glm_trie *trie)
{
    free(trie->nodes);
    *trie = (glm_trie){0};
}
