// SPDX-License-Identifier: MIT
#include "cli/receipt_text.h"

#include <math.h>
#include <string.h>

static void line(cli_out *out, const char *name, const char *text)
{
    cli_printf(out, "%-24s", name);
    cli_write_foreign(out, text, strlen(text));
    cli_puts(out, "\n");
}

static void percent(cli_out *out, const char *name, double share)
{
    if (!isnan(share))
        cli_printf(out, "%-24s%.2f %%\n", name, 100.0 * share);
}

static void task(cli_out *out, const char *name, uint64_t n, double reference, double share)
{
    if (n > 0)
        cli_printf(out, "%-24s%.2f %%, reference %.2f %%, of %llu\n", name, 100.0 * share,
                   100.0 * reference, (unsigned long long)n);
}

void cli_receipt_print(cli_out *out, const glm_receipt *r)
{
    line(out, "compared with", r->reference_name[0] ? r->reference_name : r->reference);
    line(out, "text", r->text_name[0] ? r->text_name : r->text_sha256);
    cli_printf(out, "%-24s%llu in sequences of at most %u, %llu rows compared\n", "tokens",
               (unsigned long long)r->n_tokens, r->window, (unsigned long long)r->n_rows);
    line(out, "precision", r->precision);
    cli_printf(out, "%-24smean %.3g, 99 %% below %.3g, largest %.3g\n", "KL divergence (nats)",
               r->kl_mean, r->kl_p99, r->kl_max);
    percent(out, "same best token", r->top1);
    if (!isnan(r->perplexity))
        cli_printf(out, "%-24s%.6g, reference %.6g\n", "perplexity", r->perplexity,
                   r->perplexity_reference);
    percent(out, "same experts", r->experts_overlap);
    percent(out, "same positions", r->selection_overlap);
    task(out, "needles found", r->n_needle, r->needle_reference, r->needle);
    task(out, "tool calls right", r->n_tool_calls, r->tool_calls_reference, r->tool_calls);
    line(out, "measured by glm", r->version);
}
