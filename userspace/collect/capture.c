// SPDX-License-Identifier: Apache-2.0
#include "collect/capture.h"

#include <fcntl.h>
#include <stdio.h>

const char *const km_capture_names[KM_CAPTURE_MAX + 1] = {
	[KM_CAPTURE_MEMORY] = "memory", [KM_CAPTURE_CPU] = "cpu",
	[KM_CAPTURE_IO] = "io",         [KM_CAPTURE_PROCESSES] = "processes",
	[KM_CAPTURE_STATUS] = "status", [KM_CAPTURE_HOST] = "host",
};

enum base { IN_CGROUP, IN_PROCESS, OF_HOST };

static const struct {
	enum km_capture_kind kind;
	enum base base;
	const char *file;
} files[] = {
	{ KM_CAPTURE_MEMORY, IN_CGROUP, "memory.stat" },
	{ KM_CAPTURE_MEMORY, IN_CGROUP, "memory.events" },
	{ KM_CAPTURE_CPU, IN_CGROUP, "cpu.stat" },
	{ KM_CAPTURE_CPU, IN_CGROUP, "cpu.pressure" },
	{ KM_CAPTURE_IO, IN_CGROUP, "io.stat" },
	{ KM_CAPTURE_IO, IN_CGROUP, "io.pressure" },
	{ KM_CAPTURE_PROCESSES, IN_CGROUP, "cgroup.procs" },
	{ KM_CAPTURE_PROCESSES, IN_CGROUP, "pids.current" },
	{ KM_CAPTURE_STATUS, IN_PROCESS, "status" },
	{ KM_CAPTURE_STATUS, IN_PROCESS, "limits" },
	{ KM_CAPTURE_HOST, OF_HOST, "pressure/memory" },
	{ KM_CAPTURE_HOST, OF_HOST, "pressure/io" },
	{ KM_CAPTURE_HOST, OF_HOST, "pressure/cpu" },
	{ KM_CAPTURE_HOST, OF_HOST, "meminfo" },
};

/* The start of the file; false: it cannot be read, or is empty. */
static bool read_start(const char *path, char text[static KM_CAPTURE_BYTES])
{
	km_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (len < KM_CAPTURE_BYTES - 1 &&
	       (n = read(fd, text + len, KM_CAPTURE_BYTES - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return len > 0;
}

/* The process's cgroup v2, below whichever of the two usual mounts has it. */
static bool find_cgroup(uint32_t tgid, char *path, size_t size)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char text[KM_CAPTURE_BYTES], name[64];
	const char *own;

	snprintf(name, sizeof(name), "/proc/%u/cgroup", tgid);
	if (!read_start(name, text))
		return false;
	own = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	if (!own)
		return false;
	own += *own == '\n' ? 4 : 3;
	for (size_t i = 0; i < KM_ARRAY_SIZE(mounts); i++) {
		snprintf(path, size, "%s%.*s/cgroup.procs", mounts[i], (int)strcspn(own, "\n"),
		         own);
		if (access(path, R_OK) == 0) {
			path[strlen(path) - strlen("/cgroup.procs")] = '\0';
			return true;
		}
	}
	return false;
}

void km_capture(uint32_t kinds, uint32_t tgid,
                void (*cb)(void *userdata, const char *file, const char *text), void *userdata)
{
	char text[KM_CAPTURE_BYTES], cgroup[KM_PATH_MAX] = "", path[2 * KM_PATH_MAX];
	bool has_cgroup = tgid && kinds && find_cgroup(tgid, cgroup, sizeof(cgroup));

	for (size_t i = 0; i < KM_ARRAY_SIZE(files); i++) {
		if (!(kinds >> files[i].kind & 1))
			continue;
		if ((files[i].base == IN_CGROUP && !has_cgroup) ||
		    (files[i].base == IN_PROCESS && !tgid))
			continue;
		if (files[i].base == IN_CGROUP)
			snprintf(path, sizeof(path), "%s/%s", cgroup, files[i].file);
		else if (files[i].base == IN_PROCESS)
			snprintf(path, sizeof(path), "/proc/%u/%s", tgid, files[i].file);
		else
			snprintf(path, sizeof(path), "/proc/%s", files[i].file);
		if (read_start(path, text))
			cb(userdata, files[i].file, text);
	}
}
