/* SPDX-License-Identifier: Apache-2.0 */
/* health_service [PORT]: a service that answers "HTTP/1.1 200" on 127.0.0.1:PORT and says
 * WATCHDOG=1 each 200 ms, until SIGUSR1: then it lives on and does neither. Without PORT it only
 * lives. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static volatile sig_atomic_t hangs;

static void hang(int signo)
{
	(void)signo;
	hangs = 1;
}

static int listen_on(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons((in_port_t)strtoul(port, NULL, 10)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
		exit(1);
	return fd;
}

static void answer(int listener)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	int fd = accept(listener, NULL, NULL);
	char request[1024];

	if (fd < 0)
		return;
	if (read(fd, request, sizeof(request)) > 0)
		(void)!write(fd, text, sizeof(text) - 1);
	close(fd);
}

int main(int argc, char **argv)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };

	signal(SIGUSR1, hang);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		p.fd = listen_on(argv[1]);
	while (!hangs) {
		sd_notify(0, "WATCHDOG=1");
		if (poll(&p, 1, argc > 1 ? 200 : -1) > 0)
			answer(p.fd);
	}
	for (;;)
		pause();
}
