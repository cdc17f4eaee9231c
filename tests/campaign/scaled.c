// SPDX-License-Identifier: Apache-2.0
/* scaled FACTOR TRACE: replays TRACE as if everything had taken FACTOR times as long, and prints
 * what the pipeline says, a JSON object a line. With 60 a minute becomes an hour: times, spans and
 * amounts of time grow, levels and counts stay. What the live run said is left out. The first line
 * says from where on. */
#include <fcntl.h>
#include <stdio.h>

#include "base/catalogue.h"
#include "campaign/scale.h"
#include "pipeline/pipeline.h"
#include "record/trace.h"

#define LINE_MAX_BYTES (256 * 1024)

static int print_outputs(struct km_pipeline *p, struct km_buf *line)
{
	const struct km_output *o;

	while ((o = km_pipeline_next(p))) {
		struct km_json_writer w;

		km_buf_reset(line);
		km_jw_init(&w, line, false);
		km_output_write(o, &w);
		if (km_buf_error(line) < 0)
			return km_buf_error(line);
		puts(km_buf_text(line));
	}
	return 0;
}

static int replay(int fd, uint64_t factor)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	km_autofree(km_pipeline_freep) struct km_pipeline *p = NULL;
	km_autofree(km_buf_freep) struct km_buf *line = NULL;
	static uint64_t room[KM_RAW_MAX / 8];
	uint64_t base_ns = 0;
	const void *raw;
	ssize_t n;
	int k = km_trace_reader_new(fd, &r);

	if (k == 0)
		k = km_pipeline_new(&p);
	if (k == 0)
		k = km_buf_new(LINE_MAX_BYTES, &line);
	while (k == 0 && (n = km_trace_next(r, &raw)) > 0) {
		const struct kmend_hdr *hdr = raw;

		if (hdr->type == KM_RAW_SAID)
			continue;
		if (!base_ns)
			printf("{\"output\":\"base\",\"t_ns\":%llu}\n",
			       (unsigned long long)hdr->ktime_ns);
		memcpy(room, raw, (size_t)n);
		campaign_scale(room, &base_ns, factor);
		k = km_pipeline_feed(p, room, (size_t)n);
		if (k == 0 || k == -EBADMSG || k == -ENOTSUP)
			k = print_outputs(p, line);
	}
	return k;
}

int main(int argc, char **argv)
{
	km_autoclose int fd = -1;
	uint64_t factor = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
	int k;

	if (factor < 1 || factor > CAMPAIGN_FACTOR_MAX) {
		fprintf(stderr, "usage: scaled FACTOR TRACE\n");
		return 2;
	}
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	k = fd < 0 ? -errno : replay(fd, factor);
	if (k < 0)
		fprintf(stderr, "scaled: %s: %s\n", argv[2], strerror(-k));
	return k < 0;
}
