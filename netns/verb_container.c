/* attach, detach, move, return: what skiff has done for a container. */
#include "netns.h"
#include "netns/verb.h"

static error *attach(const struct request *r, int n, char **words)
{
	(void)n;
	return net_attach(r->root, words[0], words[1]);
}

static error *detach(const struct request *r, int n, char **words)
{
	(void)n;
	return net_detach(r->root, words[0]);
}

static error *move(const struct request *r, int n, char **words)
{
	(void)r, (void)n;
	return netns_move_device(words[0], words[1], words[2]);
}

static error *give_back(const struct request *r, int n, char **words)
{
	(void)r, (void)n;
	return netns_return_device(words[0], words[1], words[2]);
}

const struct verb verb_attach = {
	.name = "attach", .args = "ID NAMESPACE", .min = 2, .max = 2, .run = attach
};
const struct verb verb_detach = {
	.name = "detach", .args = "ID", .min = 1, .max = 1, .run = detach
};
const struct verb verb_move = {
	.name = "move", .args = "NAMESPACE NAME NEW-NAME", .min = 3, .max = 3, .run = move
};
const struct verb verb_return = {
	.name = "return", .args = "NAMESPACE NAME NEW-NAME", .min = 3, .max = 3, .run = give_back
};
