/*
 * zoetrope.h - turn a still image and a prompt into a video.
 *
 * The whole public interface of libzoetrope: errors, images, engines, generating, writing a video
 * file, reading a prompt. The zoetrope program uses the library through this header alone, as any
 * other client would.
 *
 * Conventions
 *   - What can fail returns enum zt_code and fills *err, which may be NULL. Results are written on
 *     success only.
 *   - Strings are UTF-8 and NUL-terminated. Times and durations carry their unit in the name.
 *   - Objects have one owner and belong to one thread at a time; different objects may be used in
 *     different threads. The library prints nothing and never ends the process on bad input.
 */
#ifndef ZOETROPE_H
#define ZOETROPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ZT_API __attribute__((visibility("default")))
#else
#define ZT_API
#endif

#define ZT_VERSION "0.1.0"

/* ---- errors -------------------------------------------------------------------------------- */

enum zt_code {
    ZT_OK = 0,
    ZT_E_INVALID,     /* an argument or a setting is out of range; err->field names it */
    ZT_E_NOT_FOUND,   /* no such thing, or nothing to do */
    ZT_E_CONFLICT,    /* somebody else was faster: a lost lease, an existing name */
    ZT_E_DENIED,      /* not allowed: key, address, permission */
    ZT_E_LIMIT,       /* larger, longer or more often than the stated limit */
    ZT_E_BUSY,        /* a resource is held by others; ask again */
    ZT_E_TIMEOUT,     /* the stated time ran out */
    ZT_E_CANCELLED,   /* the caller asked to stop */
    ZT_E_CORRUPT,     /* data is damaged or not what it says it is */
    ZT_E_NOMEM,       /* memory of a size that depends on the input could not be had */
    ZT_E_IO,          /* the operating system refused: disk, file, process */
    ZT_E_FULL,        /* no space is left on the disk, or in the user's share of it */
    ZT_E_NET,         /* a remote host failed: resolve, connect, TLS, HTTP status */
    ZT_E_UNSUPPORTED, /* well-formed, but nothing here can do it */
    ZT_E_INTERNAL,    /* a fault of our own */
    ZT_CODES
};

struct zt_err {
    enum zt_code code;
    char field[64];   /* the request field or setting at fault, "" when none */
    char msg[512];    /* for whoever asked: what is wrong, what is allowed; safe to print */
    char detail[256]; /* for the log only: path, errno, SQL, address */
};

/* "ok", "invalid", "not_found", ...; never NULL. */
ZT_API const char *zt_code_name(enum zt_code code);

/* ---- images and frames --------------------------------------------------------------------- */

/*
 * A decoded picture: sRGB, 8 bits a channel, [height_px][width_px][3], rows `stride` bytes apart,
 * upright (EXIF orientation applied), alpha blended over white. Owns `pixels`.
 */
struct zt_image {
    int width_px, height_px;
    size_t stride;
    uint8_t *pixels;
};

enum zt_image_format { ZT_IMAGE_UNKNOWN, ZT_IMAGE_JPEG, ZT_IMAGE_PNG, ZT_IMAGE_WEBP };

/* What a header says, before anything is decoded. Width and height are upright. */
struct zt_image_info {
    enum zt_image_format format;
    int width_px, height_px;
};

/* Zero in a member means the default given beside it. */
struct zt_image_limits {
    size_t max_bytes;          /* 10 MiB */
    int64_t max_pixels;        /* 40 000 000, checked against the header before decoding */
    int min_side_px;           /* 64 */
    int max_side_px;           /* 6000 */
    int max_aspect_times_1000; /* 3000: within 1:3 ... 3:1 */
};

/*
 * Reads the header of a JPEG, PNG or WebP, decided by content. Checks the limits (may be NULL).
 *   ZT_E_UNSUPPORTED  none of the three
 *   ZT_E_LIMIT        outside a limit; msg states both values
 *   ZT_E_CORRUPT      cut short or malformed
 */
ZT_API enum zt_code zt_image_probe(const void *bytes, size_t n,
                                   const struct zt_image_limits *limits, struct zt_image_info *ret,
                                   struct zt_err *err);

/*
 * Decodes a JPEG, PNG or WebP (the first frame of an animated one). Probes first, so it returns
 * what zt_image_probe does, and ZT_E_CORRUPT for a damaged body, ZT_E_NOMEM.
 * The caller owns *ret and clears it.
 */
ZT_API enum zt_code zt_image_decode(const void *bytes, size_t n,
                                    const struct zt_image_limits *limits, struct zt_image *ret,
                                    struct zt_err *err);

ZT_API void zt_image_clear(struct zt_image *image);

enum zt_pixels {
    ZT_PIXELS_RGB24,  /* plane[0]: [height][width][3] sRGB */
    ZT_PIXELS_YUV420, /* plane[0..2]: Y, U, V; BT.709, limited range, chroma left-sited (MPEG) */
};

/* A view of one frame; whoever hands it out keeps the memory. */
struct zt_frame {
    enum zt_pixels format;
    int width_px, height_px;
    const uint8_t *plane[3];
    size_t stride[3];
};

/* Writes a frame as a JPEG file, quality 1 ... 100. ZT_E_IO, ZT_E_INVALID. */
ZT_API enum zt_code zt_frame_save_jpeg(const struct zt_frame *frame, const char *path, int quality,
                                       struct zt_err *err);

/* ---- engines ------------------------------------------------------------------------------- */

struct zt_engine;

struct zt_engine_options {
    const char *model_path; /* the folder with the weights; NULL for an engine without any */
    int threads;            /* 0: one a core */
    const char *device;     /* by name (zt_device_info); NULL or "auto": the best there is */
    bool offload;           /* weights stay in RAM and are streamed to the device */
    const char *backend;    /* a library for zt_backend_load; or NULL */
    int steps;              /* of a diffusion model; 0: what its model card says */
    const char *noise_path; /* starting noise from a weight file, for comparisons; or NULL */
};

enum zt_resolution { ZT_480P, ZT_720P, ZT_1080P };

/* One generation. Everything is read, nothing is kept. */
struct zt_request {
    const struct zt_image *image;     /* the first frame */
    const struct zt_image *end_image; /* the last frame, or NULL */
    const char *prompt;               /* not empty */
    enum zt_resolution resolution;
    int duration_s; /* 2 ... 12 */
    bool camera_fixed;
    int64_t seed; /* 0 ... 2147483647: drawn by the caller where it was left open */
    /*
     * A folder of this request's own, or NULL: what took long is kept there, and a generation that
     * was cut short goes on from it. Made when needed; the caller removes it.
     */
    const char *scratch_path;
};

/* What a request will give: decided before any work, so that it can be told at once. */
struct zt_plan {
    int width_px, height_px;
    int frames; /* 24 * duration_s + 1 */
    int fps;    /* 24 */
    enum zt_pixels pixels;
    int64_t memory_bytes; /* what the engine will take at most; 0: little */
    bool smooth;          /* motion is drawn, not found: the encoder can count on it */
};

/*
 * The size of a video for a resolution and a picture's size, as every engine plans it: the row of
 * the upstream model's table whose ratio is nearest (by |log| of the quotient) to the picture's.
 * Sides are multiples of 32. The picture is fitted by its centre crop.
 */
ZT_API void zt_size_for(enum zt_resolution resolution, int image_width_px, int image_height_px,
                        int *ret_width_px, int *ret_height_px);

/* The rows of that table: false past the last. ratio is "16:9", ... */
ZT_API bool zt_size_row(int index, enum zt_resolution resolution, const char **ret_ratio,
                        int *ret_width_px, int *ret_height_px);

struct zt_progress {
    const char *stage; /* static: "depth", "render", "denoise", ... */
    int step, steps;   /* within the stage */
    int percent;       /* 0 ... 100 over the whole generation, never going back */
    unsigned beat;     /* changes with every piece of work done, however small */
};

/* A frame is ready; its memory lives until the call returns. Non-zero stops the generation. */
typedef int zt_frame_fn(void *user, const struct zt_frame *frame, int index);

/*
 * Called on the thread of zt_generate, a few times a second at most. Non-zero stops the generation.
 * May be NULL.
 */
typedef int zt_progress_fn(void *user, const struct zt_progress *progress);

/*
 * A frame of what the video looks like so far, made for watching only: it may be smaller and is
 * softer. Frames 0 to frames - 1 are a clip, the whole video or the part of it that is being made;
 * a clip can end early, and the next one begins with frame 0. Non-zero ends this clip, not the
 * generation.
 */
typedef int zt_preview_fn(void *user, const struct zt_frame *frame, int index, int frames);

/* How it was made, for whoever writes it down: what the engine did is added. */
struct zt_made {
    int passes;        /* of a diffusion model's network */
    int passes_reused; /* of these, such that took most of their work from an earlier step */
};

struct zt_sink {
    zt_frame_fn *on_frame;
    zt_progress_fn *on_progress;
    void *user;
    zt_preview_fn *on_preview; /* NULL: not wanted; engines without steps make none */
    int preview_every;         /* steps from one preview to the next */
    struct zt_made *made;      /* may be NULL */
};

/*
 * What engines with weights can compute on, by index: false past the last. The strings live as long
 * as the process; total_bytes is 0 where the driver does not say.
 */
struct zt_device_info {
    const char *name, *description;
    uint64_t free_bytes, total_bytes;
};
ZT_API bool zt_device_info(int index, struct zt_device_info *ret);

/*
 * Adds the devices that a backend library of ggml's drives (libggml-vulkan.so, ...), for as long as
 * the process lives; the same one again is fine. It must be of the version that zoetrope was built
 * with. Any thread.
 *   ZT_E_NOT_FOUND    there is no such file
 *   ZT_E_UNSUPPORTED  no backend, another version, or no device for it here; msg says which
 */
ZT_API enum zt_code zt_backend_load(const char *path, struct zt_err *err);

/* Engines by index, for listing: NULL past the last. summary is one line for people. */
ZT_API const char *zt_engine_name(int index);
ZT_API const char *zt_engine_summary(int index);

/*
 * Opens an engine by name. options may be NULL.
 *   ZT_E_NOT_FOUND  no such engine; msg lists those there are
 */
ZT_API enum zt_code zt_engine_open(const char *name, const struct zt_engine_options *options,
                                   struct zt_engine **ret, struct zt_err *err);
ZT_API void zt_engine_close(struct zt_engine *engine);

/* Checks a request and says what it will give. ZT_E_INVALID names the member at fault. */
ZT_API enum zt_code zt_engine_plan(struct zt_engine *engine, const struct zt_request *request,
                                   struct zt_plan *ret, struct zt_err *err);

/*
 * Generates. Blocks; calls sink->on_frame on this thread, once a frame, in order.
 *   ZT_E_INVALID    the request, as zt_engine_plan
 *   ZT_E_NOMEM      the working set does not fit
 *   ZT_E_CORRUPT    what a model made is no video: no numbers, one colour, frozen; msg has figures
 *   ZT_E_CANCELLED  a callback returned non-zero
 * Same request, engine and machine type: same pixels.
 */
ZT_API enum zt_code zt_generate(struct zt_engine *engine, const struct zt_request *request,
                                const struct zt_sink *sink, struct zt_err *err);

/* ---- weight files -------------------------------------------------------------------------- */

struct zt_model_file;

/* Strings live as long as the file is open. */
struct zt_model_info {
    const char *part;   /* "dit" "vae" "tiny" "text" "clip"; "": none that is known */
    const char *model;  /* "Wan2.2-TI2V-5B", ...; "": none that is known */
    const char *format; /* "safetensors" "gguf" */
    const char *type;   /* that most bytes are of, as the format calls it */
    bool can_check;     /* zt_model_file_check knows what it must hold */
    bool has_tokenizer; /* of the text encoder */
    size_t tensors;
    int64_t elements, bytes;
};

struct zt_model_tensor {
    const char *name, *type, *file;
    int n_dims;
    int64_t shape[5]; /* the slowest dimension first */
    int64_t bytes;
};

/* Bytes read and in all; true stops. Called on the caller's thread. */
typedef bool zt_model_progress_fn(void *user, size_t done_bytes, size_t all_bytes);

/*
 * Opens a .safetensors or .gguf file, an index of shards or a folder with one, and checks all of
 * its descriptions, not its data.
 *   ZT_E_NOT_FOUND, ZT_E_CORRUPT, ZT_E_LIMIT, ZT_E_UNSUPPORTED (another format, a pickle, ...)
 */
ZT_API enum zt_code zt_model_file_open(const char *path, struct zt_model_file **ret,
                                       struct zt_err *err);
ZT_API void zt_model_file_close(struct zt_model_file *model); /* NULL is fine */
ZT_API void zt_model_file_info(const struct zt_model_file *model, struct zt_model_info *ret);

/* In the order of names; false past the last. */
ZT_API bool zt_model_file_tensor(const struct zt_model_file *model, size_t index,
                                 struct zt_model_tensor *ret);

/* Metadata that is text, and its key; NULL past the last. */
ZT_API const char *zt_model_file_meta(const struct zt_model_file *model, size_t index,
                                      const char **key);

/*
 * Whether the model's tensors are all there, of the right shapes and usable types.
 *   ZT_E_CORRUPT      msg counts the problems and names the first ones
 *   ZT_E_UNSUPPORTED  not a model that runs here
 */
ZT_API enum zt_code zt_model_file_check(const struct zt_model_file *model, struct zt_err *err);

/* Reads all data. ZT_E_CORRUPT: NaN or infinity, with the tensors' names. */
ZT_API enum zt_code zt_model_file_scan(const struct zt_model_file *model, int threads,
                                       zt_model_progress_fn *progress, void *user,
                                       struct zt_err *err);

struct zt_model_convert {
    const char *type; /* one of zt_model_type's */
    bool replace;     /* a file that is there */
    int threads;      /* 0: one a core */
};

/* "f32", "f16", "bf16", "q8_0", ... by index; NULL past the last. */
ZT_API const char *zt_model_type(int index);

/*
 * Writes one GGUF file with the names of the original model. Matrices get the type; tables, norms
 * and embeddings of time and patches stay precise. The file appears whole or not at all.
 *   ZT_E_CONFLICT     it is there already
 *   ZT_E_CORRUPT      a value is NaN or infinite
 *   ZT_E_CANCELLED, ZT_E_IO, ZT_E_FULL, ZT_E_UNSUPPORTED
 */
ZT_API enum zt_code zt_model_file_convert(const struct zt_model_file *model, const char *path,
                                          const struct zt_model_convert *options,
                                          zt_model_progress_fn *progress, void *user,
                                          struct zt_err *err);

/* ---- video files --------------------------------------------------------------------------- */

struct zt_video;

/* Zero or NULL in a member means the default given beside it. */
struct zt_video_options {
    int width_px, height_px, fps; /* required; even sizes */
    enum zt_pixels pixels;        /* what zt_video_write will be given */
    const char *preset;           /* x264 preset, "veryfast" */
    int crf;                      /* 1 ... 51, 18 */
    int threads;                  /* one a core */
    bool smooth;                  /* as planned: smaller files, sooner, at the same SSIM */
    const char *title, *comment;  /* metadata; comment names engine, model, seed, task */
    const char *live_path;        /* a second file, for watching meanwhile; NULL: none */
};

/*
 * Creates an MP4: H.264, yuv420p, BT.709, index first. The file is complete, and synced to disk,
 * only after zt_video_finish; zt_video_close without it removes the file.
 */
ZT_API enum zt_code zt_video_open(const char *path, const struct zt_video_options *options,
                                  struct zt_video **ret, struct zt_err *err);
ZT_API enum zt_code zt_video_write(struct zt_video *video, const struct zt_frame *frame,
                                   struct zt_err *err);
ZT_API enum zt_code zt_video_finish(struct zt_video *video, struct zt_err *err);
ZT_API void zt_video_close(struct zt_video *video); /* NULL is fine */

/*
 * The file at live_path is a fragmented MP4 of the same encoded frames. It takes its path with its
 * first fragment, replacing what was there, and grows by one with each second of video; the caller
 * removes it. What goes wrong with it ends it, and nothing else. Returns how many fragments it has:
 * whole boxes that can be read; a reader may find the beginning of one more after them.
 */
ZT_API int zt_video_live(const struct zt_video *video);

/* ---- prompts ------------------------------------------------------------------------------- */

/*
 * What the motion engine reads out of a prompt, as text for people or as one JSON object.
 * *ret is malloc'ed; the caller frees it. ZT_E_INVALID: not UTF-8, empty, or too long.
 */
ZT_API enum zt_code zt_explain(const char *prompt, bool as_json, char **ret, struct zt_err *err);

#define ZT_PLAN_SHOTS_MAX 16

/*
 * Where the shots of a prompt lie in a video of duration_s seconds (2 ... 12) that has no end
 * picture: shot i ends before frame ret_end[i], where the next one begins; the last ends with the
 * video. Shots too many for the time are left out from the end, so *ret_n (at least 1) can be
 * less than zt_explain tells. ZT_E_INVALID: the prompt, as zt_explain, or the duration.
 */
ZT_API enum zt_code zt_plan_shots(const char *prompt, int duration_s,
                                  int ret_end[ZT_PLAN_SHOTS_MAX], int *ret_n, struct zt_err *err);

#ifdef __cplusplus
}
#endif
#endif
