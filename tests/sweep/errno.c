// SPDX-License-Identifier: Apache-2.0
/* Each system call of each act's life, and of a recovery, fails once, and for ever from then on:
 * with every errno that can be expected of it. The actor does not crash, does nothing that it does
 * not say, and loses no intent (root). A call that fails does not happen: it is left out, and its
 * result put in its place.
 *
 * KMEND_LONG=1: all; else every SAMPLE-th. KMEND_SAY=1: a line for each. */
#include "lib/actor_sweep.h"

#include <elf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#define SAMPLE  19
#define NEVER   1000000u
#define NOTHING INT32_MAX
/* What never gets its event ends with its deadline; what is then still silent has lost it. */
#define TIMEOUT_NS (300 * KM_NS_PER_MS)
#define SILENT_MS  1500
/* Where an act is killed that is to be recovered from: behind its intent, before its outcome. */
#define MIDDLE 34

/* No errno that says that something is not there: that is no failure but a statement about the
 * world, and would be a lie. */
static const struct {
	long nr;
	int errnos[5]; /* up to the first 0 */
} plausible[] = {
	{ SYS_openat, { EMFILE, ENFILE, EACCES, ENOMEM } },
	{ SYS_read, { EIO, EINTR, EAGAIN, ENOMEM } },
	{ SYS_pread64, { EIO, EINTR, ENODATA, ENOMEM } },
	{ SYS_write, { EIO, ENOSPC, EINTR, EBUSY } },
	{ SYS_pwrite64, { EIO, ENOSPC, EDQUOT, EINTR } },
	{ SYS_close, { EIO, EINTR } },
	{ SYS_fdatasync, { EIO, ENOSPC, EINTR } },
	{ SYS_fsync, { EIO, ENOSPC } },
	{ SYS_fallocate, { ENOSPC, EOPNOTSUPP, EINTR } },
	{ SYS_ftruncate, { EIO, EINTR } },
	{ SYS_lseek, { EINVAL } },
	{ SYS_renameat, { ENOSPC, EIO } },
	{ SYS_renameat2, { ENOSPC, EIO } },
	{ SYS_unlinkat, { EIO, EBUSY } },
	{ SYS_mkdirat, { ENOSPC, EACCES, EEXIST } },
	{ SYS_newfstatat, { EACCES, ENOMEM } },
	{ SYS_statx, { EACCES, ENOMEM } },
	{ SYS_getdents64, { EIO, ENOMEM } },
	{ SYS_readlinkat, { ENOMEM, EACCES } },
	{ SYS_fgetxattr, { EIO, ENOMEM, EACCES } },
	{ SYS_fsetxattr, { ENOSPC, EOPNOTSUPP } },
	{ SYS_fremovexattr, { ENODATA, EIO } },
	{ SYS_clone, { EAGAIN, ENOMEM } },
	{ SYS_clone3, { EAGAIN, ENOMEM, EBUSY, EACCES } },
	{ SYS_waitid, { ECHILD, EINTR } },
	{ SYS_pidfd_open, { EMFILE, ENFILE, ENOMEM } },
	{ SYS_pidfd_send_signal, { EPERM } },
	{ SYS_prlimit64, { EPERM } },
	{ SYS_socketpair, { EMFILE, ENOBUFS } },
	{ SYS_sendto, { EAGAIN, ENOBUFS, EPIPE, EINTR } },
	{ SYS_sendmsg, { EAGAIN, ENOBUFS, EPIPE, EINTR } },
	{ SYS_recvfrom, { EAGAIN, EINTR, ECONNRESET } },
	{ SYS_recvmsg, { EAGAIN, EINTR, ENOBUFS } },
	{ SYS_epoll_ctl, { ENOMEM, ENOSPC } },
	{ SYS_epoll_pwait, { EINTR } },
	{ SYS_ppoll, { EINTR, ENOMEM } },
	{ SYS_timerfd_create, { EMFILE, ENOMEM } },
	{ SYS_timerfd_settime, { ENOMEM } },
	{ SYS_epoll_create1, { EMFILE, ENOMEM } },
	{ SYS_bpf, { EPERM, ENOMEM, ENOSPC } },
	{ SYS_openat2, { EMFILE, EACCES, ENOMEM } },
	{ SYS_fcntl, { ENOMEM } },
	{ SYS_flock, { EWOULDBLOCK, EINTR } },
	{ SYS_mmap, { ENOMEM } },
	{ SYS_brk, { ENOMEM } },
#ifdef __x86_64__
	{ SYS_epoll_wait, { EINTR } },
	{ SYS_poll, { EINTR, ENOMEM } },
	{ SYS_readlink, { ENOMEM, EACCES } },
	{ SYS_access, { EACCES, ENOMEM } },
	{ SYS_mkdir, { ENOSPC, EACCES } },
#endif
};

struct injection {
	unsigned int call;   /* still to come before the one that fails */
	unsigned int choice; /* of its errnos */
	int error;           /* it failed with, 0: not yet, NOTHING: there is no such choice */
	bool returns;        /* its return is awaited, to put the result in its place */
	bool lasts;          /* all further ones like it fail as well */
	long nr;
};

static unsigned int injected, silent;
static int last_error;

static int choose(long nr, unsigned int choice)
{
	for (size_t i = 0; i < KM_ARRAY_SIZE(plausible); i++)
		if (plausible[i].nr == nr && choice < KM_ARRAY_SIZE(plausible[i].errnos))
			return plausible[i].errnos[choice];
	return 0;
}

#ifdef __x86_64__
static void set_call(pid_t pid, long nr)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), nr);
}

static void set_result(pid_t pid, long result)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result);
}
#else
static void set_call(pid_t pid, long nr)
{
	int call = (int)nr;
	struct iovec v = { &call, sizeof(call) };

	ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
}

static void set_result(pid_t pid, long result)
{
	struct user_regs_struct regs;
	struct iovec v = { &regs, sizeof(regs) };

	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
	regs.regs[0] = (unsigned long)result;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
}
#endif

/* Nothing is interrupted, or full, for ever. */
static bool lasts(const struct injection *in)
{
	return in->lasts && in->error != NOTHING && in->error != EINTR && in->error != EAGAIN;
}

static bool fails(struct injection *in, long nr)
{
	if (in->error)
		return lasts(in) && nr == in->nr;
	if (in->call-- > 0)
		return false;
	in->nr = nr;
	in->error = choose(nr, in->choice);
	if (in->error)
		return true;
	in->error = NOTHING;
	return false;
}

static bool at_stop(pid_t pid, void *userdata)
{
	struct injection *in = userdata;
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return false;
	if (in->returns) {
		in->returns = false;
		set_result(pid, -in->error);
	} else if (info.op == PTRACE_SYSCALL_INFO_ENTRY && fails(in, (long)info.entry.nr)) {
		in->returns = true;
		set_call(pid, -1);
	}
	return false;
}

static bool to_the_middle(pid_t pid, void *userdata)
{
	unsigned int *left = userdata;

	(void)pid;
	return --*left == 0;
}

static bool was_injected(const struct injection *in)
{
	return in->error && in->error != NOTHING;
}

/* One act with IN in the act itself or, with RECOVERS, in the actor that comes after one that was
 * killed in its middle. */
static void one_point(const struct sweep_act *s, struct injection *in, bool recovers)
{
	struct world *w = &sweep.w;
	unsigned int stops = MIDDLE;
	pid_t pid = sweep_ask(s, TIMEOUT_NS);
	enum sweep_end end;

	if (!recovers) {
		end = sweep_run(pid, at_stop, in, &w->outcomes, w->outcomes + 1, SILENT_MS);
		silent += end == SWEEP_OVER && w->outcome.intent_id != sweep.id;
	} else {
		sweep_run(pid, to_the_middle, &stops, &w->outcomes, w->outcomes + 1, SILENT_MS);
		pid = sweep_successor();
		end = sweep_run(pid, at_stop, in, &w->readies, 1, SILENT_MS);
	}
	km_close(&w->engine);
	if (getenv("KMEND_SAY"))
		print_message("%s: call %ld, errno %d\n", km_verb_names[s->verb], in->nr,
		              in->error);
	assert_int_not_equal(end, SWEEP_CRASHED);
	sweep.bad_syncs = in->nr == SYS_fdatasync || in->nr == SYS_fsync;
	sweep_recover(s);
	injected += was_injected(in);
}

/* All errnos of the N-th call, once and lasting; false: there is no such call. */
static bool one_call(const struct sweep_act *s, unsigned int n, bool recovers)
{
	for (unsigned int choice = 0;; choice++) {
		struct injection in = { .call = n, .choice = choice / 2, .lasts = choice % 2 };

		if (choice % 2 && !lasts(&(struct injection){ .lasts = true, .error = last_error }))
			continue;
		one_point(s, &in, recovers);
		last_error = in.error;
		if (!was_injected(&in))
			return in.error != 0;
	}
}

static void fail_each(const struct sweep_act *acts, size_t count, bool recovers)
{
	unsigned int step = getenv("KMEND_LONG") ? 1 : SAMPLE;

	for (const struct sweep_act *s = acts; s < acts + count; s++) {
		unsigned int n = 0, first = injected;

		if (!sweep_can(s))
			continue;
		while (one_call(s, n, recovers))
			n += step;
		print_message("%s%s: %u injections in %u calls\n", km_verb_names[s->verb],
		              recovers ? ", recovered from" : "", injected - first, n);
		assert_in_range(injected - first, 1, NEVER);
	}
}

static void every_call_of_every_act_may_fail(void **state)
{
	(void)state;
	fail_each(sweep_acts, KM_ARRAY_SIZE(sweep_acts), false);
	fail_each(sweep_routes, KM_ARRAY_SIZE(sweep_routes), false);
}

static void every_call_of_a_recovery_may_fail(void **state)
{
	(void)state;
	fail_each(sweep_acts, KM_ARRAY_SIZE(sweep_acts), true);
	fail_each(sweep_routes, KM_ARRAY_SIZE(sweep_routes), true);
	print_message("%u injections, %u of them answered by nobody\n", injected, silent);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_of_every_act_may_fail),
		cmocka_unit_test(every_call_of_a_recovery_may_fail),
	};

	(void)argc;
	return sweep_main(argv, tests, KM_ARRAY_SIZE(tests));
}
