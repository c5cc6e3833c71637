/* drain.c - see drain.h. */
#include "service/drain.h"

#include "base/clock.h"
#include "base/stop.h"

void zt_drain_init(struct zt_drain *drain, struct zt_stop *stop, int64_t allowed_us)
{
    drain->stop = stop;
    drain->allowed_us = allowed_us;
    atomic_init(&drain->since_us, 0);
    atomic_init(&drain->hurry, false);
}

bool zt_drain_over(struct zt_drain *drain)
{
    if (atomic_load(&drain->hurry))
        return true;
    if (!zt_stop_asked(drain->stop))
        return false;
    long long now_us = zt_now_mono_us();
    long long none = 0;
    atomic_compare_exchange_strong(&drain->since_us, &none, now_us);
    return now_us - atomic_load(&drain->since_us) >= drain->allowed_us;
}

void zt_drain_hurry(struct zt_drain *drain)
{
    atomic_store(&drain->hurry, true);
    zt_stop_ask(drain->stop);
}
