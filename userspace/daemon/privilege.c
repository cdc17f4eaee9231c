/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privilege.h"

#include <cap-ng.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>

void km_privilege_user(const char *name, uint32_t fallback, struct km_user *ret)
{
	const struct passwd *pw = getpwnam(name);

	ret->name = name;
	ret->uid = pw ? pw->pw_uid : fallback;
	ret->gid = pw ? pw->pw_gid : fallback;
}

int km_privilege_drop(const struct km_user *user, bool bpf)
{
	int parent = getppid(), end_signal = 0;

	if (prctl(PR_GET_PDEATHSIG, &end_signal) < 0)
		return -errno;
	capng_clear(CAPNG_SELECT_BOTH);
	if (bpf && capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_PERFMON,
	                         -1) < 0)
		return -EPERM;
	if (capng_change_id((int)user->uid, (int)user->gid,
	                    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
		return -EPERM;
	/* The kernel forgets it when the user changes (prctl(2)); one that hangs would stay. */
	if (prctl(PR_SET_PDEATHSIG, end_signal) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

int km_privilege_die_with(int parent_pid)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == parent_pid ? 0 : -ESRCH;
}
