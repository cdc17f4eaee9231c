/* SPDX-License-Identifier: Apache-2.0 */
/* One row a record type: everything that phase 2 knows about it. */
#ifndef KM_KINDS_H
#define KM_KINDS_H

#include "base/json.h"
#include "decode/signal.h"

#define KM_KIND_STRINGS 3

struct km_kind {
	uint16_t type;
	uint16_t size; /* of the whole record; the least if OPEN */
	bool open;     /* something of its own length follows; the check bounds it */
	const char *name;
	/* char arrays: must hold a terminator, are copied as valid UTF-8. size 0: none. */
	struct {
		uint16_t offset;
		uint16_t size;
	} strings[KM_KIND_STRINGS];
	/* NULL: nothing to check. RAW has at least SIZE bytes and, if not OPEN, terminated strings.
	 */
	bool (*check)(const void *raw, size_t len);
	/* NULL: nothing besides type and time. */
	void (*put)(const struct km_signal *s, struct km_json_writer *w);
};

/* NULL: not known to this build. */
const struct km_kind *km_kind_find(uint16_t type);
/* All of them, in the order of their numbers; the row behind the last has no name. */
extern const struct km_kind km_kinds[];

bool km_check_exit(const void *raw, size_t len);
bool km_check_signal(const void *raw, size_t len);
bool km_check_tcp_state(const void *raw, size_t len);
bool km_check_task(const void *raw, size_t len);
bool km_check_connects(const void *raw, size_t len);
bool km_check_sched(const void *raw, size_t len);
bool km_check_listed(const void *raw, size_t len);
bool km_check_clock(const void *raw, size_t len);
bool km_check_text(const void *raw, size_t len);
bool km_check_cgroup(const void *raw, size_t len);
bool km_check_process(const void *raw, size_t len);
bool km_check_level(const void *raw, size_t len);
bool km_check_host(const void *raw, size_t len);
bool km_check_loss(const void *raw, size_t len);
bool km_check_outcome(const void *raw, size_t len);
bool km_check_command(const void *raw, size_t len);
bool km_check_probe(const void *raw, size_t len);
bool km_check_operator(const void *raw, size_t len);
bool km_check_endpoint(const void *raw, size_t len);
bool km_check_health(const void *raw, size_t len);
bool km_check_state(const void *raw, size_t len);
bool km_check_lease(const void *raw, size_t len);
bool km_check_said(const void *raw, size_t len);
bool km_check_value(const void *raw, size_t len);

void km_write_fork(const struct km_signal *s, struct km_json_writer *w);
void km_write_exec(const struct km_signal *s, struct km_json_writer *w);
void km_write_exit(const struct km_signal *s, struct km_json_writer *w);
void km_write_signal(const struct km_signal *s, struct km_json_writer *w);
void km_write_oom(const struct km_signal *s, struct km_json_writer *w);
void km_write_tcp_state(const struct km_signal *s, struct km_json_writer *w);
void km_write_retransmit(const struct km_signal *s, struct km_json_writer *w);
void km_write_task(const struct km_signal *s, struct km_json_writer *w);
void km_write_connects(const struct km_signal *s, struct km_json_writer *w);
void km_write_sched(const struct km_signal *s, struct km_json_writer *w);
void km_write_listed(const struct km_signal *s, struct km_json_writer *w);
void km_write_clock(const struct km_signal *s, struct km_json_writer *w);
void km_write_text(const struct km_signal *s, struct km_json_writer *w);
void km_write_cgroup(const struct km_signal *s, struct km_json_writer *w);
void km_write_process(const struct km_signal *s, struct km_json_writer *w);
void km_write_level(const struct km_signal *s, struct km_json_writer *w);
void km_write_host(const struct km_signal *s, struct km_json_writer *w);
void km_write_loss(const struct km_signal *s, struct km_json_writer *w);
void km_write_outcome(const struct km_signal *s, struct km_json_writer *w);
void km_write_command(const struct km_signal *s, struct km_json_writer *w);
void km_write_probe(const struct km_signal *s, struct km_json_writer *w);
void km_write_operator(const struct km_signal *s, struct km_json_writer *w);
void km_write_endpoint(const struct km_signal *s, struct km_json_writer *w);
void km_write_health(const struct km_signal *s, struct km_json_writer *w);
void km_write_lease(const struct km_signal *s, struct km_json_writer *w);
void km_write_state(const struct km_signal *s, struct km_json_writer *w);
void km_write_value(const struct km_signal *s, struct km_json_writer *w);

#endif
