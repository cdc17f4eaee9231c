/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: the filesystems of this mount namespace that can fill up or turn read-only. */
#ifndef KM_COLLECT_FILESYSTEM_H
#define KM_COLLECT_FILESYSTEM_H

#include <sys/types.h>

#include "base/base.h"

/* Beyond it the rest is not followed: a host with more has them for containers, which share few
 * devices. */
#define KM_FILESYSTEMS_MAX 64
/* "fs:" and this make a name. */
#define KM_MOUNT_MAX (KM_NAME_MAX - 8)

struct km_filesystem {
	char mount[KM_MOUNT_MAX];
	char device[32]; /* its name in /sys/fs/ext4 and the like; empty: none */
	uint32_t major, minor;
	bool readonly; /* of the superblock: what its users see after errors=remount-ro */
};

/* TEXT as in /proc/self/mountinfo; is changed. Each device once, by the mount of its root if there
 * is one; without what is remote (a look may block), never written, or not on a device nor in
 * memory. Number written to RET. */
size_t km_filesystems_parse(char *text, struct km_filesystem *ret, size_t max);

#endif
