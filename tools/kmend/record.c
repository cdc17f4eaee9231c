/* SPDX-License-Identifier: Apache-2.0 */
/* kmend trace record: the daemon's stream of raw records into a file, until ^C, SIGTERM or its
 * end. Every frame of a trace stands alone, so what was written is good wherever it stops. */
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/text.h"
#include "cli.h"
#include "replay.h"

struct recording {
	struct km_cli *cli;
	int fd;
	bool created; /* by this command: only then may it be removed again */
	uint64_t bytes;
};

static int on_data(void *userdata, const void *data, size_t len)
{
	struct recording *rec = userdata;
	const char *at = data;

	while (len) {
		ssize_t n = write(rec->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return km_say(rec->cli, KM_EXIT_FAILED,
			              "what was written until here can be replayed",
			              "cannot write the trace: %s", strerror(errno));
		at += n;
		len -= (size_t)n;
		rec->bytes += (uint64_t)n;
	}
	return 0;
}

static int stop_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_file(struct km_cli *cli, const char *path, bool force)
{
	const int how = force ? O_TRUNC : O_EXCL;
	/* A trace holds configuration and paths: for its owner only. */
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, 0600);

	if (fd < 0)
		km_say(cli, KM_EXIT_FAILED,
		       errno == EEXIST ? "choose another name, or --force" : NULL, "%s: %s", path,
		       strerror(errno));
	return fd;
}

/* The daemon's end ends the recording; it is not a failure once something was recorded. */
static int finish(struct recording *rec, const char *path, int r)
{
	char size[32];

	if (r == KM_EXIT_UNREACHABLE && rec->bytes)
		r = KM_EXIT_DONE;
	if (!rec->bytes) {
		if (rec->created)
			unlink(path);
		return r == KM_EXIT_DONE
		               ? km_say(rec->cli, KM_EXIT_FAILED, NULL, "nothing was recorded")
		               : r;
	}
	if (fsync(rec->fd) < 0 && errno != EINVAL)
		return km_say(rec->cli, KM_EXIT_FAILED, NULL, "%s: %s", path, strerror(errno));
	fprintf(rec->cli->err, "%s recorded; look at it: kmend trace info, kmend replay\n",
	        km_text_bytes(rec->bytes, size, sizeof(size)));
	return r;
}

static int record(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = { { .name = "file", .required = true, .local = true },
		                   { .name = "--force", .kind = KM_WORD_FLAG, .local = true },
		                   { 0 } };
	struct recording rec = { .cli = cli, .fd = -1 };
	km_autoclose int fd = -1, stop = -1;
	const char *path;
	int r;

	r = km_words(cli, argc, argv, words);
	if (r)
		return r;
	path = km_word(words, "file");
	rec.created = !km_word(words, "--force"); /* O_EXCL: it was not there before */
	fd = rec.fd = open_file(cli, path, !rec.created);
	if (fd < 0)
		return KM_EXIT_FAILED;
	stop = stop_fd();
	if (stop < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "signalfd: %s", strerror(errno));
	r = km_request(cli,
	               &(struct km_request_opts){ .object = "trace",
	                                          .command = "record",
	                                          .data = on_data,
	                                          .userdata = &rec,
	                                          .stream = true,
	                                          .stop = &stop },
	               NULL);
	return finish(&rec, path, r);
}

const struct km_cmd km_trace_cmds[] = {
	{ "record", record, "FILE [--force]", "until ^C: all that enters the pipeline (root)" },
	{ "info", km_cmd_trace_info, "FILE", "span, records, where it is cut" },
	{ 0 },
};

const struct km_cmd km_replay_cmds[] = {
	{ "", km_cmd_replay,
	  "FILE [--rules DIR] | --csv FILE [--interval S] [--limit COLUMN=VALUE]...",
	  "print every decision of a trace, or forecasts for each row of a table" },
	{ 0 },
};
