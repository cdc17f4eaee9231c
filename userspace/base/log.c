// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"

/* One line, before escaping; what is longer is cut. */
#define LINE_MAX_BYTES 1024

/* The one piece of state outside struct km_daemon: a line must be possible before there is one.
 * Written once, by km_log_open(), before any thread or child exists. */
static struct {
	char process[32];
	enum km_level most_verbose;
	bool journal;
} state = { .process = "kmend", .most_verbose = KM_INFO };

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

void km_log_open(const char *process, enum km_level most_verbose)
{
	km_copy(state.process, sizeof(state.process), process);
	state.most_verbose = most_verbose;
	state.journal = stderr_is_journal();
}

static const char *level_word(enum km_level level)
{
	return level <= KM_ERR ? "error: " : level == KM_WARNING ? "warning: " : "";
}

void km_log(enum km_level level, const char *fmt, ...)
{
	char plain[LINE_MAX_BYTES], escaped[4 * LINE_MAX_BYTES], line[4 * LINE_MAX_BYTES + 64];
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
	/* One write, so that lines of several processes do not mix. Nobody to tell if it fails. */
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = saved;
}
