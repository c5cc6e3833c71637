#ifndef T_H
#define T_H
#include "models/wan/vae.h"
struct zt_tae; struct zt_tae_config {int z;};
enum zt_code zt_tae_config_read(const struct zt_weights *w, struct zt_tae_config *c, struct zt_err *e);
enum zt_code zt_tae_open(const struct zt_weights *w, struct zt_device *d, struct zt_tae **r, struct zt_err *e);
void zt_tae_close(struct zt_tae *t);
enum zt_code zt_tae_decode(struct zt_tae *t, const float *l, struct zt_vae_size s, zt_vae_frame_fn *f, void *u, struct zt_err *e);
enum zt_code zt_tae_check(const struct zt_weights *w, struct zt_err *e);
#endif
