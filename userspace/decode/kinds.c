// SPDX-License-Identifier: Apache-2.0
/* The table of record types. A new type is one row here, a check and a writer. */
#include "decode/kinds.h"

#define STRING(type, member)                                        \
	{                                                           \
		offsetof(type, member), sizeof(((type *)0)->member) \
	}

/* clang-format off */
const struct km_kind km_kinds[] = {
	/* found by a search from here on: most of a stream first */
	{ KM_RAW_VALUE, sizeof(struct km_raw_value), true, "value",
	  { }, km_check_value, km_write_value },
	{ KMEND_TASK, sizeof(struct kmend_task), false, "task",
	  { STRING(struct kmend_task, comm) }, km_check_task, km_write_task },
	{ KMEND_SCHED, sizeof(struct kmend_sched), false, "sched",
	  { }, km_check_sched, km_write_sched },
	{ KM_RAW_LEVEL, sizeof(struct km_raw_level), false, "level",
	  { }, km_check_level, km_write_level },
	{ KMEND_FORK, sizeof(struct kmend_fork), false, "fork",
	  { STRING(struct kmend_fork, comm) }, NULL, km_write_fork },
	{ KMEND_EXEC, sizeof(struct kmend_exec), false, "exec",
	  { STRING(struct kmend_exec, comm), STRING(struct kmend_exec, path) },
	  NULL, km_write_exec },
	{ KMEND_EXIT, sizeof(struct kmend_exit), false, "exit",
	  { STRING(struct kmend_exit, comm) }, km_check_exit, km_write_exit },
	{ KMEND_SIGNAL, sizeof(struct kmend_signal), false, "signal",
	  { STRING(struct kmend_signal, comm), STRING(struct kmend_signal, sender_comm) },
	  km_check_signal, km_write_signal },
	{ KMEND_OOM, sizeof(struct kmend_oom), false, "oom",
	  { STRING(struct kmend_oom, comm) }, NULL, km_write_oom },
	{ KMEND_TCP_STATE, sizeof(struct kmend_tcp_state), false, "tcp_state",
	  { }, km_check_tcp_state, km_write_tcp_state },
	{ KMEND_RETRANSMIT, sizeof(struct kmend_retransmit), false, "retransmit",
	  { }, NULL, km_write_retransmit },
	{ KMEND_CANARY, sizeof(struct kmend_hdr), true, "canary", { }, NULL, NULL },
	{ KMEND_CONNECTS, sizeof(struct kmend_connects), false, "connects",
	  { }, km_check_connects, km_write_connects },
	{ KMEND_LISTED, sizeof(struct kmend_listed), false, "listed",
	  { }, km_check_listed, km_write_listed },
	{ KM_RAW_TICK, sizeof(struct km_raw_tick), false, "tick", { }, NULL, NULL },
	{ KM_RAW_CLOCK, sizeof(struct km_raw_clock), false, "clock",
	  { }, km_check_clock, km_write_clock },
	{ KM_RAW_TEXT, sizeof(struct km_raw_text), true, "text",
	  { STRING(struct km_raw_text, file) }, km_check_text, km_write_text },
	{ KM_RAW_CGROUP, sizeof(struct km_raw_cgroup), false, "cgroup",
	  { STRING(struct km_raw_cgroup, path) }, km_check_cgroup, km_write_cgroup },
	{ KM_RAW_PROCESS, sizeof(struct km_raw_process), false, "process",
	  { STRING(struct km_raw_process, comm), STRING(struct km_raw_process, path),
	    STRING(struct km_raw_process, service) }, km_check_process, km_write_process },
	{ KM_RAW_HOST, sizeof(struct km_raw_host), false, "host",
	  { }, km_check_host, km_write_host },
	{ KM_RAW_LOSS, sizeof(struct km_raw_loss), false, "loss",
	  { }, km_check_loss, km_write_loss },
	{ KM_RAW_OUTCOME, sizeof(struct km_raw_outcome), false, "outcome",
	  { STRING(struct km_raw_outcome, service), STRING(struct km_raw_outcome, detail) },
	  km_check_outcome, km_write_outcome },
	{ KM_RAW_COMMAND, sizeof(struct km_raw_command), false, "command",
	  { }, km_check_command, km_write_command },
	{ KM_RAW_PROBE, sizeof(struct km_raw_probe), false, "probe",
	  { STRING(struct km_raw_probe, reason) }, km_check_probe, km_write_probe },
	{ KM_RAW_STATE, sizeof(struct km_raw_state), true, "state",
	  { }, km_check_state, km_write_state },
	{ KM_RAW_SAID, sizeof(struct km_raw_said), true, "said", { }, km_check_said, NULL },
	{ KM_RAW_LEASE, sizeof(struct km_raw_lease), false, "lease",
	  { STRING(struct km_raw_lease, service), STRING(struct km_raw_lease, reason) },
	  km_check_lease, km_write_lease },
	{ KM_RAW_HEALTH, sizeof(struct km_raw_health), false, "health",
	  { STRING(struct km_raw_health, service), STRING(struct km_raw_health, check),
	    STRING(struct km_raw_health, reason) }, km_check_health, km_write_health },
	{ KM_RAW_ENDPOINT, sizeof(struct km_raw_endpoint), false, "endpoint",
	  { STRING(struct km_raw_endpoint, service), STRING(struct km_raw_endpoint, endpoint) },
	  km_check_endpoint, km_write_endpoint },
	{ KM_RAW_OPERATOR, sizeof(struct km_raw_operator), false, "operator",
	  { STRING(struct km_raw_operator, service) }, km_check_operator, km_write_operator },
	{ }
};
/* clang-format on */
