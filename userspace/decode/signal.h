/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 2: from raw bytes to a checked signal. The only trust boundary: after it, types, sizes,
 * ranges, terminators and UTF-8 are right, and nothing else looks at raw bytes. */
#ifndef KM_SIGNAL_H
#define KM_SIGNAL_H

#include "collect/raw.h"

/* A checked copy; strings are terminated, valid UTF-8 and may hold control characters (escape at
 * the sink). text, state, said and value point into the raw record and live as long as it does. */
struct km_signal {
	uint16_t type; /* enum kmend_type or km_raw_type */
	uint64_t t_ns;
	uint64_t cgroup_id;
	union {
		struct kmend_fork fork;
		struct kmend_exec exec;
		struct kmend_exit exit;
		struct kmend_signal signal;
		struct kmend_oom oom;
		struct kmend_tcp_state tcp_state;
		struct kmend_retransmit retransmit;
		struct kmend_connects connects;
		struct kmend_task task;
		struct kmend_sched sched;
		struct kmend_listed listed;
		struct km_raw_clock clock;
		struct km_raw_cgroup cgroup;
		struct km_raw_process process;
		struct km_raw_level level;
		struct km_raw_host host;
		struct km_raw_loss loss;
		struct km_raw_outcome outcome;
		struct km_raw_command command;
		struct km_raw_probe probe;
		struct km_raw_health health;
		struct km_raw_endpoint endpoint;
		struct km_raw_operator operator;
		struct km_raw_lease lease;
		const struct km_raw_text *text;
		const struct km_raw_state *state;
		const struct km_raw_said *said;
		const struct km_raw_value *value;
	};
};

/* 0; -EBADMSG: cut, wrong size for its type, out of range; -ENOTSUP: a type this build does not
 * know (counted, skipped). *RET is untouched on failure. RAW must be 8-byte aligned. */
int km_decode(const void *raw, size_t len, struct km_signal *ret);

/* "exit", "oom", "tick", ...; "unknown" for others. Static. */
const char *km_signal_name(uint16_t type);

/* The signal as one flat JSON object's members: type, time, and what it says; for signal watch and
 * evidence. The caller opens and closes the object. */
struct km_json_writer;
void km_signal_write(const struct km_signal *s, struct km_json_writer *w);

#endif
