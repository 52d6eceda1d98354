// SPDX-License-Identifier: MIT
/* A quality receipt as `glm receipt` and `glm inspect` show it. */
#ifndef GLM_CLI_RECEIPT_TEXT_H
#define GLM_CLI_RECEIPT_TEXT_H

#include "cli/out.h"
#include "glm/quantize.h"

/** A table, a line a figure; figures that were not measured are left out. */
void cli_receipt_print(cli_out *out, const glm_receipt *receipt);

#endif
