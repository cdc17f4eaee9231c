/* SPDX-License-Identifier: Apache-2.0 */
/* A range of history from a server with the Prometheus HTTP API (GET /api/v1/query_range; Thanos,
 * Mimir, VictoriaMetrics have it too). What it sends is not trusted: capped, strictly parsed,
 * escaped; no redirect is followed. */
#ifndef KM_PROMETHEUS_H
#define KM_PROMETHEUS_H

#include "base/json.h"
#include "matrix.h"

/* Points of one series in one answer; the server refuses more than 11,000. */
#define KM_PROMETHEUS_POINTS_MAX 10000

struct km_prometheus;

/* URL is the server's, without /api/v1; TOKEN is sent as a bearer's, NULL: none. Both must outlive
 * it. -ENOENT: libcurl is not installed; -ENOMEM. */
int km_prometheus_new(const char *url, const char *token, struct km_prometheus **ret);
struct km_prometheus *km_prometheus_free(struct km_prometheus *p);
KM_DEFINE_FREEP(struct km_prometheus, km_prometheus_free)

/* What QUERY says of POINTS rows of M from row FIRST on, into M. -EFBIG: the answer is larger than
 * KM_JSON_BYTES_MAX, ask for fewer points; -E2BIG: too many series for M; -EBADMSG, -EIO: *ERR says
 * what the server or the network said. */
int km_prometheus_get(struct km_prometheus *p, const char *query, size_t first, size_t points,
                      struct km_matrix *m, struct km_error *err);

#endif
