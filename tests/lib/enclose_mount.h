/* SPDX-License-Identifier: Apache-2.0 */
/* What enclose mounts, in the mount namespace that it made. */
#ifndef KM_TEST_ENCLOSE_MOUNT_H
#define KM_TEST_ENCLOSE_MOUNT_H

#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/base.h"

/* Says what failed and why; the negative errno. */
__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	int error = errno;
	va_list ap;

	fputs("enclose: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(error));
	return -error;
}

/* NAME is created where it can be: on a tmpfs it always can. */
static int put(const char *type, const char *where, unsigned long flags, const char *options)
{
	mkdir(where, 0755);
	if (mount(type, where, type, flags, options) < 0)
		return complain("%s on %s", type, where);
	return 0;
}

/* An overlay on WHERE that shows LOWER; BASE, a fresh directory below /tmp, gets the tmpfs that
 * takes the changes. */
static int put_overlay_over(const char *lower, const char *where, const char *base)
{
	char upper[64], work[64], options[4096 + 128];
	int r;

	snprintf(upper, sizeof(upper), "%s/upper", base);
	snprintf(work, sizeof(work), "%s/work", base);
	r = put("tmpfs", base, MS_NOSUID | MS_NODEV, "mode=755");
	if (r == 0 && (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0))
		r = complain("%s", upper);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper,
	         work);
	return r == 0 ? put("overlay", where, 0, options) : r;
}

/* What is at PATH, writable. The tmpfs has no path of its own once the overlay is there. */
static int put_overlay(const char *path)
{
	char base[] = "/tmp/enclose-XXXXXX";
	int r;

	if (!mkdtemp(base))
		return complain("%s", base);
	r = put_overlay_over(path, path, base);
	umount2(base, MNT_DETACH);
	rmdir(base);
	return r;
}

static int bind_below(const char *root, const char *dir)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s%s", root, dir);

	if (n < 0 || n >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return mount(dir, path, NULL, MS_BIND, NULL);
}

/* Moves to a root that shows the host's root file system, and leaves the host's mounts behind, all
 * but the directory SHARE (NULL: none). */
static int put_root(const char *share)
{
	char base[] = "/tmp/enclose-XXXXXX", root[64];
	km_autoclose int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (tmp < 0 || !mkdtemp(base))
		return complain("%s", base);
	snprintf(root, sizeof(root), "%s/root", base);
	/* The mount point has to be on the tmpfs, which is there only then: made by put(). */
	r = put_overlay_over("/", root, base);
	if (r == 0 && share && bind_below(root, share) < 0)
		r = complain("%s", share);
	if (r == 0 && (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	               umount2(".", MNT_DETACH) < 0 || chdir("/") < 0))
		r = complain("cannot move to the new root");
	if (r < 0)
		umount2(base, MNT_DETACH);
	unlinkat(tmp, strrchr(base, '/') + 1, AT_REMOVEDIR);
	return r;
}

static int put_devices(void)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} nodes[] = {
		{ "/dev/null", 1, 3 },    { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
		{ "/dev/random", 1, 8 },  { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
		{ "/dev/console", 1, 3 }, /* what is said there is for nobody */
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },       { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};
	int r = put("tmpfs", "/dev", MS_NOSUID, "mode=755");
	mode_t mask = umask(0);
	size_t i;

	for (i = 0; r == 0 && i < KM_ARRAY_SIZE(nodes); i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) <
		    0)
			r = complain("%s", nodes[i].path);
	for (i = 0; r == 0 && i < KM_ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			r = complain("%s", links[i][1]);
	umask(mask);
	if (r == 0)
		r = put("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
		        "newinstance,ptmxmode=0666,mode=620");
	return r < 0 ? r : put("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
}

/* PATH read-only, without what is mounted below it. */
static int read_only(const char *path)
{
	const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY;

	if (mount(path, path, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, path, NULL, flags | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return complain("%s read-only", path);
	return 0;
}

/* What a manager could still do to the whole machine. */
static int drop_machine(void)
{
	static const int caps[] = { CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT,  CAP_SYS_TIME,
		                    CAP_MKNOD,      CAP_SYSLOG,    CAP_WAKE_ALARM };
	size_t i;

	for (i = 0; i < KM_ARRAY_SIZE(caps); i++)
		if (prctl(PR_CAPBSET_DROP, caps[i]) < 0)
			return complain("capability %d", caps[i]);
	return 0;
}

#endif
