/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded history as one stream of raw records: traces one behind the other. Of a rolling
 * recording those with numbers that follow one another are one host's: the checkpoints in between
 * are left out. */
#ifndef KM_SOURCE_H
#define KM_SOURCE_H

#include "base/json.h"
#include "record/trace.h"

struct km_source;

/* PATHS[N], read in this order; they outlive the source. */
int km_source_new_traces(char *const *paths, size_t n, struct km_source **ret);
struct km_source *km_source_free(struct km_source *s);
KM_DEFINE_FREEP(struct km_source, km_source_free)

/* Size of the next record and *RET, valid until the next call; 0 at the end; -EBADMSG with *ERR:
 * a file that is no trace or is damaged. *BEGINS: the first record of another file, whose host must
 * begin anew. */
ssize_t km_source_next(struct km_source *s, struct km_error *err, const void **ret, bool *begins);
/* How much time lies between the records that were read, as far as nothing is missing there. */
uint64_t km_source_covered_ns(const struct km_source *s);
/* How much was read: from 0 to 1. */
double km_source_progress(const struct km_source *s);

#endif
