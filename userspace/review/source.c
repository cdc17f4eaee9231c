// SPDX-License-Identifier: Apache-2.0
#include "review/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "record/recording.h"

struct km_source {
	char *const *paths;
	size_t count, at;               /* AT: the one under way, or the next */
	struct km_trace_reader *reader; /* NULL: none is open */
	int fd;
	uint64_t bytes, before; /* of all files; of those that are over */
	bool whole;             /* the one before was read to its end */
	bool skips;             /* the checkpoint that this one begins with is not over yet */
	uint64_t last_ns, covered_ns;
};

int km_source_new_traces(char *const *paths, size_t n, struct km_source **ret)
{
	struct km_source *s = calloc(1, sizeof(*s));
	struct stat st;

	if (!s)
		return -ENOMEM;
	s->paths = paths;
	s->count = n;
	s->fd = -1;
	for (size_t i = 0; i < n; i++)
		if (stat(paths[i], &st) == 0)
			s->bytes += (uint64_t)st.st_size;
	*ret = s;
	return 0;
}

struct km_source *km_source_free(struct km_source *s)
{
	if (!s)
		return NULL;
	km_trace_reader_free(s->reader);
	km_close(&s->fd);
	free(s);
	return NULL;
}

static int fail(const struct km_source *s, struct km_error *err, const char *what)
{
	*err = (struct km_error){ 0 };
	km_copy(err->file, sizeof(err->file), s->paths[s->at]);
	km_copy(err->what, sizeof(err->what), what);
	return -EBADMSG;
}

static int begin(struct km_source *s, struct km_error *err)
{
	int r;

	s->fd = open(s->paths[s->at], O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return fail(s, err, strerror(errno));
	r = km_trace_reader_new(s->fd, &s->reader);
	return r == -EBADMSG ? fail(s, err, "not a trace of this version") : r;
}

/* Nothing is missing between the last trace and this one. */
static bool follows(const struct km_source *s)
{
	uint64_t number = km_recording_number(s->paths[s->at]);

	return s->whole && number && s->at &&
	       km_recording_number(s->paths[s->at - 1]) + 1 == number;
}

/* A record of the checkpoint that a trace begins with; texts put in force are its last. */
static bool is_skipped(struct km_source *s, const void *raw)
{
	const struct kmend_hdr *hdr = raw;
	const struct km_raw_text *text = raw;
	bool skips = s->skips && (hdr->type == KM_RAW_STATE || hdr->type == KM_RAW_TEXT);

	s->skips = skips && !(hdr->type == KM_RAW_TEXT && hdr->size >= sizeof(*text) &&
	                      text->kind == KM_TEXT_COMMIT);
	return skips;
}

/* A trace that was cut off is good up to there. */
static void end(struct km_source *s)
{
	struct km_trace_stats stats;
	struct stat st;

	km_trace_stats(s->reader, &stats);
	s->whole = !stats.cut_at;
	if (fstat(s->fd, &st) == 0)
		s->before += (uint64_t)st.st_size;
	s->reader = km_trace_reader_free(s->reader);
	km_close(&s->fd);
	s->at++;
}

static void cover(struct km_source *s, uint64_t t_ns, bool begins)
{
	if (!begins && t_ns > s->last_ns)
		s->covered_ns += t_ns - s->last_ns;
	if (begins || t_ns > s->last_ns)
		s->last_ns = t_ns;
}

ssize_t km_source_next(struct km_source *s, struct km_error *err, const void **ret, bool *begins)
{
	ssize_t n;
	int r;

	*begins = false;
	for (;;) {
		if (!s->reader) {
			if (s->at == s->count)
				return 0;
			r = begin(s, err);
			if (r < 0)
				return r;
			s->skips = follows(s);
			*begins = !s->skips;
		}
		n = km_trace_next(s->reader, ret);
		if (n > 0 && is_skipped(s, *ret))
			continue;
		if (n > 0)
			cover(s, ((const struct kmend_hdr *)*ret)->ktime_ns, *begins);
		if (n)
			return n < 0 ? fail(s, err, "cannot be read") : n;
		end(s);
	}
}

uint64_t km_source_covered_ns(const struct km_source *s)
{
	return s->covered_ns;
}

double km_source_progress(const struct km_source *s)
{
	off_t at = s->fd < 0 ? 0 : lseek(s->fd, 0, SEEK_CUR);
	double done = (double)s->before + (at > 0 ? (double)at : 0);

	return s->bytes ? done / (double)s->bytes : 1;
}
