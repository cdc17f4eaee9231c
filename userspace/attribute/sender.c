// SPDX-License-Identifier: Apache-2.0
/* Who sends signals to a service: by process number, parentage and cgroup, as the kernel says. */
#include "attribute/state.h"

const char *const km_sender_names[KM_SENDER_MAX + 1] = {
	[KM_SENDER_UNKNOWN] = "unknown",   [KM_SENDER_ITSELF] = "itself",
	[KM_SENDER_INIT] = "init",         [KM_SENDER_SUPERVISOR] = "supervisor",
	[KM_SENDER_OPERATOR] = "operator", [KM_SENDER_OUTSIDER] = "outsider",
};

/* Below a login session or a user's own manager (pam_systemd(8), systemd-logind). */
static bool is_session(const char *path)
{
	const char *session = strstr(path, "/session-");

	if (session && strstr(session, ".scope"))
		return true;
	return strstr(path, "/user.slice/") == path || strstr(path, "/user@");
}

static bool in_session(const struct km_attribute *a, const struct km_process_row *p)
{
	const struct km_cgroup_row *c = km_table_get(a->cgroups, &p->cgroup_id);

	return c && is_session(c->path);
}

enum km_sender km_sender_of(const struct km_attribute *a, const struct km_process_row *victim,
                            uint32_t tgid)
{
	const struct km_process_row *sender = tgid ? km_process_find(a, tgid, 0) : NULL;
	const struct km_service_row *s =
		victim && victim->service_id ? km_service_row(a, victim->service_id) : NULL;

	if (!tgid)
		return KM_SENDER_UNKNOWN;
	if (tgid == 1)
		return KM_SENDER_INIT;
	if (victim && (tgid == victim->tgid ||
	               (sender && victim->service_id && sender->service_id == victim->service_id)))
		return KM_SENDER_ITSELF;
	/* Whoever started it ends it; what kmend started is ended by nobody but kmend. */
	if (victim && tgid == victim->ppid && (!s || s->pub.kind != KM_BY_COMMAND))
		return KM_SENDER_SUPERVISOR;
	if (sender && in_session(a, sender))
		return KM_SENDER_OPERATOR;
	return KM_SENDER_OUTSIDER;
}
