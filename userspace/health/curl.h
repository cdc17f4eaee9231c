/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl, loaded when the first HTTP request is made: by the prober, and by kmend where history is
 * imported. Linked to the daemon, its thirty libraries would take each of the other processes 1 to
 * 2 MiB, and 130 mappings that every fork has to copy. */
#ifndef KM_CURL_H
#define KM_CURL_H

#include <curl/curl.h>

#define KM_CURL(name) __typeof__(curl_##name) *name

/* curl_NAME() as ->NAME(). */
struct km_curl {
	void *library;
	KM_CURL(global_init);
	KM_CURL(global_cleanup);
	KM_CURL(getdate);
	KM_CURL(slist_append);
	KM_CURL(slist_free_all);
	KM_CURL(easy_init);
	KM_CURL(easy_cleanup);
	KM_CURL(easy_setopt);
	KM_CURL(easy_getinfo);
	KM_CURL(easy_strerror);
	KM_CURL(easy_escape);
	KM_CURL(easy_perform);
	KM_CURL(free);
	KM_CURL(multi_init);
	KM_CURL(multi_cleanup);
	KM_CURL(multi_setopt);
	KM_CURL(multi_assign);
	KM_CURL(multi_info_read);
	KM_CURL(multi_socket_action);
	KM_CURL(multi_add_handle);
	KM_CURL(multi_remove_handle);
};

/* -ENOENT: it is not installed, or another version. */
int km_curl_load(struct km_curl *ret);
void km_curl_unload(struct km_curl *c);

#endif
