/* SPDX-License-Identifier: Apache-2.0 */
/* kmend trace info FILE: what a trace holds, by type, and whether it is whole. */
#include <errno.h>
#include <fcntl.h>

#include "base/text.h"
#include "decode/signal.h"
#include "record/trace.h"
#include "replay.h"

struct tally {
	uint64_t of[KM_RAW_MAX_TYPE + 1]; /* the last: types of a later version */
	uint64_t records;
	struct km_trace_stats stats;
};

static int count(int fd, struct tally *ret)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	const void *raw;
	ssize_t n;
	int k = km_trace_reader_new(fd, &r);

	if (k < 0)
		return k;
	while ((n = km_trace_next(r, &raw)) > 0) {
		const struct kmend_hdr *hdr = raw;

		ret->of[hdr->type < KM_RAW_MAX_TYPE ? hdr->type : KM_RAW_MAX_TYPE]++;
		ret->records++;
	}
	km_trace_stats(r, &ret->stats);
	return (int)n;
}

static void print_json(struct km_cli *cli, const struct tally *t)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;

	if (km_buf_new(1 << 20, &out) < 0)
		return;
	km_jw_init(&w, out, cli->format == KM_PRETTY);
	km_jw_object(&w);
	km_jw_ku64(&w, "version", 1);
	km_jw_ku64(&w, "records", t->records);
	km_jw_ku64(&w, "frames", t->stats.frames);
	km_jw_ku64(&w, "bytes", t->stats.bytes);
	km_jw_ku64(&w, "plain_bytes", t->stats.plain_bytes);
	km_jw_ku64(&w, "first_ns", t->stats.first_ns);
	km_jw_ku64(&w, "last_ns", t->stats.last_ns);
	km_jw_kbool(&w, "whole", !t->stats.cut_at);
	if (t->stats.cut_at) {
		km_jw_ku64(&w, "cut_at", t->stats.cut_at);
		km_jw_kstring(&w, "what", t->stats.what);
	}
	km_jw_key(&w, "types");
	km_jw_object(&w);
	for (unsigned int i = 0; i <= KM_RAW_MAX_TYPE; i++)
		if (t->of[i])
			km_jw_ku64(&w, km_signal_name((uint16_t)i), t->of[i]);
	km_jw_end_object(&w);
	km_jw_end_object(&w);
	fprintf(cli->out, "%s\n", km_buf_text(out));
}

static void print_plain(struct km_cli *cli, const struct tally *t)
{
	uint64_t span = t->stats.last_ns - t->stats.first_ns;
	char a[32], b[32], c[32];

	fprintf(cli->out, "%llu records in %llu frames, %s packed from %s, over %s\n",
	        (unsigned long long)t->records, (unsigned long long)t->stats.frames,
	        km_text_bytes(t->stats.bytes, a, sizeof(a)),
	        km_text_bytes(t->stats.plain_bytes, b, sizeof(b)),
	        km_text_duration(span, c, sizeof(c)));
	for (unsigned int i = 0; i <= KM_RAW_MAX_TYPE; i++)
		if (t->of[i])
			fprintf(cli->out, "  %-14s %llu\n", km_signal_name((uint16_t)i),
			        (unsigned long long)t->of[i]);
	if (t->stats.cut_at)
		fprintf(cli->out, "ends at byte %llu: %s\n", (unsigned long long)t->stats.cut_at,
		        t->stats.what);
}

int km_cmd_trace_info(struct km_cli *cli, int argc, char **argv)
{
	struct km_word words[] = { { .name = "file", .required = true }, { 0 } };
	struct tally t = { 0 };
	km_autoclose int fd = -1;
	int k = km_words(cli, argc, argv, words);

	if (k)
		return k;
	fd = open(km_word(words, "file"), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return km_say(cli, KM_EXIT_FAILED, NULL, "cannot open %s: %s",
		              km_word(words, "file"), strerror(errno));
	k = count(fd, &t);
	if (k < 0)
		return km_say(cli, KM_EXIT_FAILED, "make one with kmend trace record FILE",
		              "%s: %s", km_word(words, "file"),
		              k == -EBADMSG ? "not a trace of this version" : strerror(-k));
	if (cli->format == KM_PLAIN)
		print_plain(cli, &t);
	else
		print_json(cli, &t);
	return KM_EXIT_DONE;
}
