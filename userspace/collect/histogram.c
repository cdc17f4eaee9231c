// SPDX-License-Identifier: Apache-2.0
/* Durations by bucket: four for each doubling. */
#include "collect/internal.h"

uint64_t km_hist_edge_ns(uint32_t bucket)
{
	uint32_t octave = KMEND_BUCKET_FIRST + (bucket - 1) / 4, quarter = (bucket - 1) % 4;

	if (!bucket)
		return 1ULL << KMEND_BUCKET_FIRST;
	return (5ULL + quarter) << (octave - 2);
}

uint64_t km_hist_quantile(const struct kmend_hist *h, double share)
{
	uint64_t all = 0, below = 0;

	for (uint32_t i = 0; i < KMEND_BUCKETS; i++)
		all += h->bucket[i];
	for (uint32_t i = 0; i < KMEND_BUCKETS && all; i++) {
		below += h->bucket[i];
		if ((double)below >= share * (double)all)
			return km_hist_edge_ns(i);
	}
	return 0;
}
