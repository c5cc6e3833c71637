/*
 * weather.h - what fluid.h, light.h and air.h are told about a shot.
 */
#ifndef ZT_MOTION_WEATHER_H
#define ZT_MOTION_WEATHER_H

#include <stdbool.h>
#include <stdint.h>

struct zt_weather {
    const float *atmosphere; /* [ZT_ATMO_KINDS] of prompt.h: 0 absent, 0.5 light, 1, 2 heavy */
    uint64_t seed, stream;   /* stream: the shot's number */
    double seconds;          /* of the shot */
    bool loop;               /* after `seconds` everything is where it was */
    bool fresh;              /* frame 0 is the picture itself, and the weather comes in after it; */
                             /* without it, and in a loop, it is there from the first frame */
    bool leaves;             /* at `seconds` it is gone again; for what is in the air */
};

#endif
