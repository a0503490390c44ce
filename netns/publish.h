/* Published ports: -p [IP:]HOST:CONTAINER[/tcp|/udp]. Parsing is pure. */
#pragma once

#include "base/rows.h"
#include "netns/address.h"

struct port {
	bool udp;
	struct ip ip; /* family 0: every address of the host */
	uint16_t host, container;
};

struct ports {
	struct port *v;
	size_t n;
};

/* An IPv6 address stands in brackets; ports may be ranges of equal length, 8000-8003:80-83. */
must_use error *ports_parse(const struct texts *words, struct arena *arena, struct ports *out);
/* Whether one address and port of the host would lead to both. */
bool port_clashes(const struct port *a, const struct port *b);
/* Whether it could be had: no program of the host has it. */
must_use error *port_is_free(const struct port *p);
/* "8080/tcp" or "192.0.2.1:8080/udp" */
const char *port_text(const struct port *p, char text[64]);
