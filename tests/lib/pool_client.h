/* SPDX-License-Identifier: Apache-2.0 */
/* What the client of tests/scenario/failover.c counts, in a file that both map. */
#ifndef KM_TEST_POOL_CLIENT_H
#define KM_TEST_POOL_CLIENT_H

#include <stdint.h>

#define POOL_CLIENTS 200
#define POOL_STATS   "/run/t/pool"

enum { POOL_PRIMARY, POOL_STANDBY, POOL_SERVERS };

struct pool_stats {
	uint64_t mark_ns;                /* the test's: what follows is counted from here on */
	uint64_t answered[POOL_SERVERS]; /* requests, by who answered */
	uint64_t opened[POOL_SERVERS];   /* connections, by who answered first */
	uint64_t lost;                   /* requests that were sent and not answered */
	uint64_t lost_late;              /* ... by a client that had come to the standby before */
	uint64_t in_flight;              /* requests under way now */
	uint64_t refused;                /* connects that failed, each tried again */
	uint64_t slowest_ns;             /* answer */
	uint64_t switched_ns[POOL_CLIENTS]; /* first connection to the standby since the mark */
};

#endif
