// SPDX-License-Identifier: Apache-2.0
/* Host-wide levels: memory, open files, and how long tasks wait for something (PSI). */
#include <fcntl.h>
#include <math.h>

#include "base/fs.h"
#include "collect/host.h"
#include "collect/internal.h"

int km_psi_parse(const char *text, const char *line, uint32_t *ret_ppm)
{
	static const char key[] = " avg10=";
	size_t n = strlen(line);

	for (const char *p = text; p; p = (p = strchr(p, '\n')) ? p + 1 : NULL) {
		double percent;
		char *end;

		if (strncmp(p, line, n) != 0 || strncmp(p + n, key, sizeof(key) - 1) != 0)
			continue;
		p += n + sizeof(key) - 1;
		percent = strtod(p, &end);
		if (end == p || !(percent >= 0) || percent > 100)
			return -EBADMSG;
		*ret_ppm = (uint32_t)lround(percent * 10000);
		return 0;
	}
	return -ENOENT;
}

int km_file_nr_parse(const char *text, uint64_t *open, uint64_t *max)
{
	char *end, *at;
	uint64_t n[3];

	at = (char *)text;
	for (size_t i = 0; i < KM_ARRAY_SIZE(n); i++) {
		n[i] = strtoull(at, &end, 10);
		if (end == at)
			return -EBADMSG;
		at = end;
	}
	*open = n[0] - (n[1] < n[0] ? n[1] : n[0]);
	*max = n[2];
	return 0;
}

int km_meminfo_parse(const char *text, struct km_raw_host *ret)
{
	struct {
		const char *key;
		uint64_t *to;
	} rows[] = { { "MemTotal", &ret->memory_total_bytes },
		     { "MemAvailable", &ret->memory_available_bytes },
		     { "SwapTotal", &ret->swap_total_bytes },
		     { "SwapFree", &ret->swap_free_bytes } };

	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++) {
		if (km_proc_key_parse(text, rows[i].key, rows[i].to) < 0)
			return -ENOENT;
		*rows[i].to *= 1024;
	}
	return 0;
}

static void add_psi(int proc_fd, struct km_raw_host *h)
{
	struct {
		const char *file;
		const char *line;
		uint32_t *to;
	} rows[] = { { "pressure/cpu", "some", &h->psi_cpu_some_ppm },
		     { "pressure/memory", "some", &h->psi_memory_some_ppm },
		     { "pressure/memory", "full", &h->psi_memory_full_ppm },
		     { "pressure/io", "some", &h->psi_io_some_ppm },
		     { "pressure/io", "full", &h->psi_io_full_ppm } };
	const char *read = "";
	char text[512];

	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++) {
		if (strcmp(read, rows[i].file) != 0 &&
		    km_fs_read_small(proc_fd, rows[i].file, text, sizeof(text)) < 0)
			return;
		read = rows[i].file;
		if (km_psi_parse(text, rows[i].line, rows[i].to) < 0)
			return;
	}
	h->psi_measured = 1;
}

int km_host_emit(struct km_collect *c)
{
	struct km_raw_host h;
	char text[4096];

	km_raw_init(&h, KM_RAW_HOST, sizeof(h), 0);
	if (km_fs_read_small(c->proc_fd, "meminfo", text, sizeof(text)) < 0 ||
	    km_meminfo_parse(text, &h) < 0)
		return 0; /* without it there is nothing to say */
	if (km_fs_read_small(c->proc_fd, "sys/fs/file-nr", text, sizeof(text)) > 0)
		km_file_nr_parse(text, &h.files_open, &h.files_max);
	add_psi(c->proc_fd, &h);
	memcpy(c->host_pressure,
	       (const uint32_t[]){ h.psi_cpu_some_ppm, h.psi_memory_some_ppm, h.psi_memory_full_ppm,
	                           h.psi_io_some_ppm, h.psi_io_full_ppm },
	       sizeof(c->host_pressure));
	h.processes = c->processes;
	return km_emit(c, &h, sizeof(h));
}
