// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"

/* One line, before escaping; what is longer is cut. */
#define LINE_MAX_BYTES 1024
/* Process, level and their punctuation. */
#define HEAD_MAX_BYTES 64

/* The one piece of state outside struct km_daemon: a line must be possible before there is one.
 * Written by km_log_open(), before any thread exists; the number of lost lines at any time. */
static struct {
	char process[32];
	enum km_level most_verbose;
	bool journal;
	bool socket;   /* what stderr is */
	int fd;        /* stderr once more, without waiting; -1: as it is */
	uint64_t lost; /* lines that nobody made room for, not told yet */
} state = { .process = "kmend", .most_verbose = KM_INFO, .fd = -1 };

/* systemd names the device and inode of the journal's socket; a redirected stderr is another. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)st.st_dev,
	         (uintmax_t)st.st_ino);
	return !strcmp(stream, own);
}

/* The flags of stderr belong to everybody who shares it, our services too. What can be full, a pipe
 * or a terminal, is therefore opened once more; a file never is, and would lose its place. */
static void open_again(void)
{
	struct stat st;

	km_close(&state.fd);
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	state.socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		state.fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void km_log_open(const char *process, enum km_level most_verbose)
{
	km_copy(state.process, sizeof(state.process), process);
	state.most_verbose = most_verbose;
	state.journal = stderr_is_journal();
	open_again();
}

static const char *level_word(enum km_level level)
{
	return level <= KM_ERR ? "error: " : level == KM_WARNING ? "warning: " : "";
}

/* One write, so that lines of several processes do not mix. */
static bool put(const char *line, size_t len)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n;

	do {
		if (state.socket)
			n = send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else if (state.fd >= 0)
			n = write(state.fd, line, len);
		else
			n = poll(&room, 1, 0) == 1 ? write(STDERR_FILENO, line, len) : -1;
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static bool tell_lost(void)
{
	char line[HEAD_MAX_BYTES + 96];
	int n = snprintf(line, sizeof(line),
	                 "%s%s: warning: %" PRIu64 " lines were lost here: "
	                 "nobody read them\n",
	                 state.journal ? "<4>" : "", state.process, state.lost);

	if (!put(line, (size_t)n))
		return false;
	state.lost = 0;
	return true;
}

void km_log(enum km_level level, const char *fmt, ...)
{
	char plain[LINE_MAX_BYTES], escaped[PIPE_BUF - HEAD_MAX_BYTES], line[PIPE_BUF];
	int saved = errno, n;
	va_list ap;

	if (level > state.most_verbose)
		return;
	va_start(ap, fmt);
	n = vsnprintf(plain, sizeof(plain), fmt, ap);
	va_end(ap);
	if (n < 0)
		plain[0] = '\0';
	km_text_escape(plain, escaped, sizeof(escaped));
	if (state.journal)
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, escaped);
	else
		n = snprintf(line, sizeof(line), "%s: %s%s\n", state.process, level_word(level),
		             escaped);
	/* Whoever does not read must not hold up repairs. */
	if ((state.lost && !tell_lost()) || !put(line, (size_t)n))
		state.lost++;
	errno = saved;
}
