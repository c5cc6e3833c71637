/* handles.h - variables that close themselves (base/auto.h), for handles of other modules. */
#ifndef ZT_SERVICE_HANDLES_H
#define ZT_SERVICE_HANDLES_H

#include "base/auto.h"
#include "base/stop.h"
#include "net/client.h"
#include "net/guard.h"
#include "store/store.h"

ZT_AUTO(struct zt_client, client, zt_client_free)
ZT_AUTO(struct zt_engine, engine, zt_engine_close)
ZT_AUTO(struct zt_guard, guard, zt_guard_free)
ZT_AUTO(struct zt_stop, stop, zt_stop_free)
ZT_AUTO(struct zt_store, store, zt_store_close)
ZT_AUTO(struct zt_video, video, zt_video_close)

#endif
