/* SPDX-License-Identifier: Apache-2.0 */
/* All nouns. Help, man page and completion follow this table; tests/unit/kmend/help.c checks. */
#include "cli.h"

const struct km_object km_objects[] = {
	{ "status", km_status_cmds, "mode, counts, and what is not well" },
	{ "pause", km_pause_cmds, "the kill switch" },
	{ "resume", km_resume_cmds, "the end of a pause" },
	{ "service", km_service_cmds, "services: state, levels, forecasts, what was done" },
	{ "endpoint", km_endpoint_cmds, "what services connect to, and their standbys" },
	{ "signal", km_signal_cmds, "what the kernel is asked, and what it says now" },
	{ "forecast", km_forecast_cmds, "what will fail, when, how sure" },
	{ "rule", km_rule_cmds, "runbooks in force, and checking new ones" },
	{ "action", km_action_cmds, "decisions, approvals, and the proof of the journal" },
	{ "incident", km_incident_cmds, "what happened, from evidence to verdict" },
	{ "trace", km_trace_cmds, "recording what enters the pipeline" },
	{ "replay", km_replay_cmds, "a trace through the pipeline, touching nothing" },
	{ "history", km_history_cmds, "what other tools have recorded, for a replay" },
	{ "bpf", km_bpf_cmds, "programs and maps in the kernel, their cost and losses" },
	{ "audit", km_audit_cmds, "who was denied, who approved" },
	{ "doctor", km_doctor_cmds, "what this machine offers, and how to mend the rest" },
	{ 0 },
};
