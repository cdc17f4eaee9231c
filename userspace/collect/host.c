// SPDX-License-Identifier: Apache-2.0
/* Host-wide levels: memory, open files, and how long tasks wait for something (PSI). */
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "collect/host.h"
#include "collect/internal.h"

/* Passes. Pressure is an average of ten seconds; open files are counted in thousands. */
#define PSI_EVERY   2
#define FILES_EVERY 4

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

int km_host_read(struct km_collect *c, enum km_host_file file, char *text, size_t size)
{
	static const char *const names[KM_KEPT_FILES] = {
		[KM_FILE_MEMINFO] = "meminfo",      [KM_FILE_FILES] = "sys/fs/file-nr",
		[KM_FILE_PSI_CPU] = "pressure/cpu", [KM_FILE_PSI_MEMORY] = "pressure/memory",
		[KM_FILE_PSI_IO] = "pressure/io",   [KM_FILE_LOADAVG] = "loadavg",
	};
	int *fd = &c->host_fd[file];
	ssize_t n;

	if (*fd <= 0)
		*fd = openat(c->proc_fd, names[file], O_RDONLY | O_CLOEXEC);
	n = *fd < 0 ? -1 : pread(*fd, text, size - 1, 0);
	if (n <= 0)
		return n ? -errno : -EIO;
	text[n] = '\0';
	return 0;
}

void km_host_close(struct km_collect *c)
{
	for (size_t i = 0; i < KM_KEPT_FILES; i++)
		if (c->host_fd[i] > 0)
			km_close(&c->host_fd[i]);
}

static void add_psi(struct km_collect *c, struct km_raw_host *h)
{
	struct {
		enum km_host_file file;
		const char *line;
		uint32_t *to;
	} rows[] = { { KM_FILE_PSI_CPU, "some", &h->psi_cpu_some_ppm },
		     { KM_FILE_PSI_MEMORY, "some", &h->psi_memory_some_ppm },
		     { KM_FILE_PSI_MEMORY, "full", &h->psi_memory_full_ppm },
		     { KM_FILE_PSI_IO, "some", &h->psi_io_some_ppm },
		     { KM_FILE_PSI_IO, "full", &h->psi_io_full_ppm } };
	enum km_host_file have = KM_KEPT_FILES;
	char text[512];

	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++) {
		if (have != rows[i].file && km_host_read(c, rows[i].file, text, sizeof(text)) < 0)
			return;
		have = rows[i].file;
		if (km_psi_parse(text, rows[i].line, rows[i].to) < 0)
			return;
	}
	h->psi_measured = 1;
	memcpy(c->host_pressure,
	       (const uint32_t[]){ h->psi_cpu_some_ppm, h->psi_memory_some_ppm,
	                           h->psi_memory_full_ppm, h->psi_io_some_ppm, h->psi_io_full_ppm },
	       sizeof(c->host_pressure));
}

int km_host_emit(struct km_collect *c)
{
	struct km_raw_host h;
	char text[4096];

	km_raw_init(&h, KM_RAW_HOST, sizeof(h), 0);
	h.files_open = h.files_max = KM_UNKNOWN;
	if (km_host_read(c, KM_FILE_MEMINFO, text, sizeof(text)) < 0 ||
	    km_meminfo_parse(text, &h) < 0)
		return 0; /* without it there is nothing to say */
	if (c->pass % FILES_EVERY == 0 && km_host_read(c, KM_FILE_FILES, text, sizeof(text)) == 0)
		km_file_nr_parse(text, &h.files_open, &h.files_max);
	if (c->pass % PSI_EVERY == 0)
		add_psi(c, &h);
	h.processes = c->processes;
	return km_emit(c, &h, sizeof(h));
}
