/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of health: libcurl, loaded by the one process that makes HTTP checks, when the first is
 * made. Linked to the daemon, its thirty libraries would take each of the others 1 to 2 MiB, and
 * 130 mappings that every fork has to copy. */
#ifndef KM_CURL_H
#define KM_CURL_H

#include <curl/curl.h>

#define KM_CURL_FUNCTIONS(F)                                                                       \
	F(global_init)                                                                             \
	F(global_cleanup)                                                                          \
	F(getdate)                                                                                 \
	F(slist_append)                                                                            \
	F(slist_free_all)                                                                          \
	F(easy_init) F(easy_cleanup) F(easy_setopt) F(easy_getinfo) F(easy_strerror) F(multi_init) \
		F(multi_cleanup) F(multi_setopt) F(multi_assign) F(multi_info_read)                \
			F(multi_socket_action) F(multi_add_handle) F(multi_remove_handle)

#define KM_CURL_MEMBER(name) __typeof__(curl_##name) *name;

/* curl_NAME() as ->NAME(). */
struct km_curl {
	void *library;
	KM_CURL_FUNCTIONS(KM_CURL_MEMBER)
};

/* -ENOENT: it is not installed, or another version. */
int km_curl_load(struct km_curl *ret);
void km_curl_unload(struct km_curl *c);

#endif
