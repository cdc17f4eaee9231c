/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "report/client.h"

/* NGROUPS_MAX is 65536; who is in more groups than this is judged by the first of them. */
#define GROUPS_MAX 1024

/* SO_PEERCRED has only the primary group; membership is mostly by a supplementary one. */
static bool in_group(int fd, uint32_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

int km_peer_read(int fd, uint32_t reader_gid, struct km_peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (len != sizeof(cred))
		return -EBADMSG;
	*ret = (struct km_peer){
		.uid = cred.uid,
		.gid = cred.gid,
		.tgid = (uint32_t)cred.pid,
		.changer = cred.uid == 0,
	};
	ret->reader = ret->changer || cred.gid == reader_gid || in_group(fd, reader_gid);
	return 0;
}
