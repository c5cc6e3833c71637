/* stub */
#include "models/wan/tae.h"
enum zt_code zt_tae_config_read(const struct zt_weights *w, struct zt_tae_config *c, struct zt_err *e){(void)w;(void)c;return zt_fail(e,ZT_E_UNSUPPORTED,"x");}
enum zt_code zt_tae_open(const struct zt_weights *w, struct zt_device *d, struct zt_tae **r, struct zt_err *e){(void)w;(void)d;(void)r;return zt_fail(e,ZT_E_UNSUPPORTED,"x");}
void zt_tae_close(struct zt_tae *t){(void)t;}
enum zt_code zt_tae_decode(struct zt_tae *t, const float *l, struct zt_vae_size s, zt_vae_frame_fn *f, void *u, struct zt_err *e){(void)t;(void)l;(void)s;(void)f;(void)u;return zt_fail(e,ZT_E_UNSUPPORTED,"x");}
enum zt_code zt_tae_check(const struct zt_weights *w, struct zt_err *e){(void)w;return zt_fail(e,ZT_E_UNSUPPORTED,"x");}
