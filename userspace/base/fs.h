/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are trusted only after a look at the opened descriptor. */
#ifndef KM_FS_H
#define KM_FS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/json.h"

/* Whole content of NAME below DIR_FD (AT_FDCWD: NAME as it is), at most MAX bytes (-EFBIG).
 * O_NOFOLLOW at every step; the opened file must be regular, owned by root or by the caller's
 * effective user, and not writable by group or others, and so must each directory on the way
 * (sticky ones may be writable): else -EPERM, or -ELOOP for a link. *ERR says which and how to mend
 * it, also for -EFBIG and for what open and read say. */
int km_fs_read_trusted(int dir_fd, const char *name, size_t max, struct km_error *err,
                       struct km_buf **ret);

/* Nothing is at PATH, for certain: what cannot be looked at may be there. */
bool km_fs_absent(const char *path);
/* A regular file, by an absolute PATH, as trustworthy; its descriptor, or as there. */
int km_fs_open_trusted_file(const char *path, struct km_error *err);

/* The directory PATH itself, as trustworthy as what km_fs_read_trusted() reads: each directory from
 * the root on, also above a relative PATH. Its descriptor, or as there. */
int km_fs_open_trusted(const char *path, struct km_error *err);

/* Whole content of a file of /proc or /sys into BUF of SIZE, NUL-terminated, last newline cut.
 * Returns its length; -EFBIG if the content has SIZE bytes or more; negative errno. */
int km_fs_read_small(int dir_fd, const char *name, char *buf, size_t size);
/* One decimal number, or "max" as KM_UNKNOWN; -EINVAL, -ERANGE. */
int km_fs_read_u64(int dir_fd, const char *name, uint64_t *ret);

/* mkdir -p with MODE, whatever the umask, for what is made; follows no link. *RET_FD: a descriptor
 * of the directory, for reading. */
int km_fs_make_dir(const char *path, unsigned int mode, int *ret_fd);

/* Names in the directory, sorted bytewise: regular files with SUFFIX (NULL: any), none that begins
 * with a dot. *RET is NULL-terminated and freed with km_fs_free_names(). At most MAX (-E2BIG). */
int km_fs_list(int dir_fd, const char *suffix, size_t max, char ***ret);
/* The same with what is no regular file: refused where it is opened, not overlooked. */
int km_fs_list_any(int dir_fd, const char *suffix, size_t max, char ***ret);
char **km_fs_free_names(char **names);
KM_DEFINE_FREEP(char *, km_fs_free_names)

#endif
