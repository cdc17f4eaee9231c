/* SPDX-License-Identifier: Apache-2.0 */
/* A forecast with its evidence and a plot, from the daemon or from a replayed table. */
#ifndef KM_FORECAST_EXPLAIN_H
#define KM_FORECAST_EXPLAIN_H

#include "cli.h"

/* DOC: {"looks": [{"forecast": {...}, "unit": "bytes", "samples": [[ms, level], ...]}, ...]} */
void km_forecast_explain(struct km_cli *cli, const cJSON *doc);

#endif
