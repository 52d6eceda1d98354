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

void cli_receipt_print(cli_out *out, const glm_receipt *r)
{
    line(out, "compared with", r->reference_name[0] ? r->reference_name : r->reference);
    line(out, "text", r->text_name[0] ? r->text_name : r->text_sha256);
    cli_printf(out, "%-24s%llu in sequences of %u\n", "tokens", (unsigned long long)r->n_tokens,
               r->window);
    line(out, "precision", r->precision);
    cli_printf(out, "%-24smean %.3g, 99 %% below %.3g, largest %.3g\n", "KL divergence (nats)",
               r->kl_mean, r->kl_p99, r->kl_max);
    percent(out, "same best token", r->top1);
    if (!isnan(r->perplexity))
        cli_printf(out, "%-24s%.6g, reference %.6g\n", "perplexity", r->perplexity,
                   r->perplexity_reference);
    percent(out, "same experts", r->experts_overlap);
    percent(out, "same positions", r->selection_overlap);
    percent(out, "needles found", r->needle);
    percent(out, "tool calls right", r->tool_calls);
    line(out, "measured by glm", r->version);
}
