// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/identity.h"
#include "repair/job.h"

/* For one that was killed to be gone; what hangs in the kernel is nobody's any more. */
#define GONE_MS 200

static void say(int fd, int error, const struct km_job_said *what)
{
	struct km_job_said said = *what;

	said.error = error;
	(void)!send(fd, &said, sizeof(said), MSG_NOSIGNAL);
}

static _Noreturn void run(const struct km_job_work *work, void *arg, int fd)
{
	struct km_job_said said = { 0 };
	char go;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = work->plan(arg, said.detail, sizeof(said.detail));
	say(fd, r, &said);
	if (r == 0 && recv(fd, &go, 1, 0) == 1) {
		r = work->apply(arg, said.detail, sizeof(said.detail));
		say(fd, r, &said);
	}
	_exit(0);
}

int km_job_begin(const struct km_job_work *work, void *arg, struct km_job *ret)
{
	int fd[2], pidfd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		km_close(&fd[0]); /* or it would not hear its parent's end */
		run(work, arg, fd[1]);
	}
	pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	km_close(&fd[1]);
	if (pidfd >= 0) {
		*ret = (struct km_job){ pidfd, fd[0] };
		return 0;
	}
	km_close(&fd[0]); /* its end */
	if (pid > 0 && kill(pid, SIGKILL) == 0)
		waitpid(pid, NULL, 0);
	return -EAGAIN;
}

int km_job_hear(const struct km_job *job, struct km_job_said *ret)
{
	ssize_t n = recv(job->fd, ret, sizeof(*ret), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n != sizeof(*ret))
		return -EPIPE;
	ret->detail[sizeof(ret->detail) - 1] = '\0';
	return 0;
}

void km_job_go(const struct km_job *job)
{
	(void)!send(job->fd, "", 1, MSG_NOSIGNAL);
}

void km_job_end(struct km_job *job)
{
	if (job->pidfd >= 0) {
		km_pidfd_kill(job->pidfd, SIGKILL);
		poll(&(struct pollfd){ .fd = job->pidfd, .events = POLLIN }, 1, GONE_MS);
		waitid(P_PIDFD, (id_t)job->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
	}
	km_close(&job->pidfd);
	km_close(&job->fd);
}
