/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files as a reviewer names them: one, a folder of one class, or a whole rules folder. */
#ifndef KM_FILES_H
#define KM_FILES_H

#include "base/buf.h"
#include "base/json.h"

/* The rule files that PATH means, sorted, "PATH/class/name.json"; the caller's, freed with
 * km_fs_free_names(). "x.test.json" means "x.json". -EBADMSG with *ERR: none is there, or what the
 * daemon would refuse about the folder. */
int km_files_find(const char *path, struct km_error *err, char ***ret);

/* Whole text of one file. A reviewer's copy is not the host's: what only the daemon would refuse
 * (owner, mode, links) is told in *DOUBT, empty if there is none. -EBADMSG with *ERR; -ENOMEM. */
int km_files_read(const char *path, struct km_error *err, struct km_error *doubt,
                  struct km_buf **ret);

/* "memory/leak.test.json" of "memory/leak.json"; the caller's, NULL: no memory. */
char *km_files_test_of(const char *path);

#endif
