// SPDX-License-Identifier: Apache-2.0
/* The closed list of what can be done, one row a verb, and those that are done in one step. */
#include "act/internal.h"
#include "base/fs.h"

static bool belongs(const struct km_act *act, uint32_t tgid)
{
	char path[32], exe[KM_PATH_MAX] = "";
	uint64_t number;

	if (tgid <= 1 || tgid == (uint32_t)getpid())
		return false;
	if (act->child)
		return km_cgroup_has(act->child->spawn.cgroup_dir, tgid);
	if (act->def && act->def->kind == KM_BY_PIDFILE)
		return km_fs_read_u64(AT_FDCWD, act->def->match, &number) == 0 && number == tgid;
	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	if (act->def && act->def->kind == KM_BY_EXECUTABLE)
		return readlink(path, exe, sizeof(exe) - 1) > 0 &&
		       strcmp(exe, act->def->match) == 0;
	if (act->unit || !act->def)
		return act->unit && km_cgroup_names(tgid, act->unit, '/');
	return km_cgroup_names(tgid, act->def->match, act->def->kind == KM_BY_CONTAINER ? 0 : ':');
}

int km_act_process(struct km_act *act, int *ret_pidfd)
{
	km_autoclose int fd = -1;
	int r;

	if (act->child && !act->rec.tgid) {
		act->rec.tgid = act->child->tgid;
		act->rec.start_ns = act->child->start_ns;
	}
	r = act->rec.tgid ? km_identity_open(act->rec.tgid, act->rec.start_ns, &fd) : -ESRCH;
	if (r == 0 && !belongs(act, act->rec.tgid))
		r = -EPERM;
	if (r == 0)
		*ret_pidfd = km_take_fd(&fd);
	return r;
}

static void notify(struct km_act *act)
{
	if (km_act_intend(act) == 0)
		km_act_finish(act, KM_OUT_DONE, 0, NULL);
}

static int send_signal(struct km_act *act, int pidfd, char *detail, size_t size)
{
	snprintf(detail, size, "signal %d", act->rec.signal);
	return km_pidfd_kill(pidfd, act->rec.signal);
}

static int raise_limit(struct km_act *act, int pidfd, char *detail, size_t size)
{
	pid_t pid = (pid_t)act->rec.tgid;
	struct rlimit now, want;

	(void)pidfd;
	if (prlimit(pid, RLIMIT_NOFILE, NULL, &now) < 0)
		return -errno;
	want = now;
	want.rlim_cur = act->rec.amount < now.rlim_max ? act->rec.amount : now.rlim_max;
	snprintf(detail, size, "descriptors %llu to %llu, hard limit %llu",
	         (unsigned long long)now.rlim_cur, (unsigned long long)want.rlim_cur,
	         (unsigned long long)now.rlim_max);
	if (want.rlim_cur <= now.rlim_cur)
		return -ENOSPC; /* nothing to give: the next rung must know */
	return prlimit(pid, RLIMIT_NOFILE, &want, NULL) < 0 ? -errno : 0;
}

/* The pidfd is held before the intent is written: what is acted on is what was checked. */
static void on_process(struct km_act *act)
{
	km_autoclose int fd = -1;
	char detail[128] = "";
	int r = km_act_process(act, &fd);

	if (r < 0) {
		km_act_finish(act, KM_OUT_REFUSED, r, "not that process, or not the service's");
	} else if (km_act_intend(act) == 0) {
		r = (act->rec.verb == KM_SEND_SIGNAL ? send_signal : raise_limit)(act, fd, detail,
		                                                                  sizeof(detail));
		km_act_finish(act, r < 0 ? KM_OUT_FAILED : KM_OUT_DONE, r, detail);
	}
}

const struct km_act_verb km_act_verbs[KM_VERB_MAX] = {
	[KM_START] = { true, km_command_begin, km_unit_begin, NULL, "StartUnit" },
	[KM_STOP] = { true, km_command_begin, km_unit_begin, NULL, "StopUnit" },
	[KM_RESTART] = { true, km_command_begin, km_unit_begin, NULL, "RestartUnit" },
	[KM_SEND_SIGNAL] = { true, NULL, NULL, on_process, NULL },
	[KM_RAISE_LIMIT] = { true, NULL, NULL, on_process, NULL },
	[KM_NOTIFY] = { false, NULL, NULL, notify, NULL },
};
