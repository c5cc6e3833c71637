/*
 * failing_vfs.h - SQLite's way to the disk, with failures: the n-th call of a kind, or that and all
 * after it, gives an error. Everything else goes to the system's own VFS, but a sync, which costs
 * and shows nothing here, for no power failure is played. One thread.
 *
 * Releasing a lock and closing never fail: POSIX gives them no way to.
 */
#ifndef ZT_TESTS_FAILING_VFS_H
#define ZT_TESTS_FAILING_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>

/* Kinds of calls, as bits. */
enum {
    VFS_OPEN = 1 << 0,
    VFS_READ = 1 << 1,
    VFS_WRITE = 1 << 2,
    VFS_SYNC = 1 << 3,
    VFS_TRUNCATE = 1 << 4,
    VFS_LOCK = 1 << 5, /* of the file and of the log's index */
    VFS_MAP = 1 << 6,
    VFS_DELETE = 1 << 7,
    VFS_ACCESS = 1 << 8,
    VFS_SIZE = 1 << 9,
    VFS_WRITER = 1 << 10, /* the lock of whoever writes, of the locks above */
    VFS_ALL = (1 << 11) - 1,
};

static struct {
    sqlite3_vfs vfs, *real;
    unsigned kinds; /* which calls count */
    long nth;       /* 0: none fails */
    bool and_after; /* all after it fail too */
    int rc;         /* what they give; 0: the I/O error of the call's kind */
    long passed;    /* calls counted */
    long failed;    /* calls that were failed */
} vfs_faults;

struct vfs_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static inline void vfs_fail(unsigned kinds, long nth, bool and_after, int rc)
{
    vfs_faults.kinds = kinds;
    vfs_faults.nth = nth;
    vfs_faults.and_after = and_after;
    vfs_faults.rc = rc;
    vfs_faults.passed = vfs_faults.failed = 0;
}

/* 0, or the error that this call must give. */
static inline int vfs_pass(unsigned kind, int own)
{
    if ((vfs_faults.kinds & kind) == 0 || vfs_faults.nth == 0)
        return 0;
    long now = ++vfs_faults.passed;
    if (now != vfs_faults.nth && !(vfs_faults.and_after && now > vfs_faults.nth))
        return 0;
    vfs_faults.failed++;
    return vfs_faults.rc ? vfs_faults.rc : own;
}

#define VFS_REAL(file) (((struct vfs_file *)(file))->real)
#define VFS_CALL(kind, own, call)                                                                  \
    do {                                                                                           \
        int rc_ = vfs_pass((kind), (own));                                                         \
        return rc_ ? rc_ : (call);                                                                 \
    } while (0)

static inline int vfs_close(sqlite3_file *f)
{
    int rc = VFS_REAL(f)->pMethods ? VFS_REAL(f)->pMethods->xClose(VFS_REAL(f)) : SQLITE_OK;

    free(VFS_REAL(f));
    return rc;
}

static inline int vfs_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    VFS_CALL(VFS_READ, SQLITE_IOERR_READ, VFS_REAL(f)->pMethods->xRead(VFS_REAL(f), to, n, at));
}

/* A failing write leaves half of its bytes, as a full disk does. */
static inline int vfs_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int rc = vfs_pass(VFS_WRITE, SQLITE_IOERR_WRITE);

    if (rc != SQLITE_OK)
        VFS_REAL(f)->pMethods->xWrite(VFS_REAL(f), from, n / 2, at);
    return rc ? rc : VFS_REAL(f)->pMethods->xWrite(VFS_REAL(f), from, n, at);
}

static inline int vfs_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    VFS_CALL(VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE,
             VFS_REAL(f)->pMethods->xTruncate(VFS_REAL(f), size));
}

static inline int vfs_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return vfs_pass(VFS_SYNC, SQLITE_IOERR_FSYNC);
}

static inline int vfs_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    VFS_CALL(VFS_SIZE, SQLITE_IOERR_FSTAT, VFS_REAL(f)->pMethods->xFileSize(VFS_REAL(f), ret));
}

static inline int vfs_lock(sqlite3_file *f, int how)
{
    VFS_CALL(VFS_LOCK, SQLITE_IOERR_LOCK, VFS_REAL(f)->pMethods->xLock(VFS_REAL(f), how));
}

static inline int vfs_unlock(sqlite3_file *f, int how)
{
    return VFS_REAL(f)->pMethods->xUnlock(VFS_REAL(f), how);
}

static inline int vfs_reserved(sqlite3_file *f, int *ret)
{
    return VFS_REAL(f)->pMethods->xCheckReservedLock(VFS_REAL(f), ret);
}

static inline int vfs_control(sqlite3_file *f, int op, void *arg)
{
    return VFS_REAL(f)->pMethods->xFileControl(VFS_REAL(f), op, arg);
}

static inline int vfs_sector(sqlite3_file *f)
{
    return VFS_REAL(f)->pMethods->xSectorSize(VFS_REAL(f));
}

static inline int vfs_device(sqlite3_file *f)
{
    return VFS_REAL(f)->pMethods->xDeviceCharacteristics(VFS_REAL(f));
}

static inline int vfs_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    VFS_CALL(VFS_MAP, SQLITE_IOERR_SHMMAP,
             VFS_REAL(f)->pMethods->xShmMap(VFS_REAL(f), page, size, extend, ret));
}

static inline int vfs_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    bool writer = at == 0 && (flags & SQLITE_SHM_EXCLUSIVE) != 0; /* WAL_WRITE_LOCK */
    int rc = flags & SQLITE_SHM_LOCK
                 ? vfs_pass(writer ? VFS_WRITER : VFS_LOCK, SQLITE_IOERR_SHMLOCK)
                 : SQLITE_OK;

    return rc ? rc : VFS_REAL(f)->pMethods->xShmLock(VFS_REAL(f), at, n, flags);
}

static inline void vfs_shm_barrier(sqlite3_file *f)
{
    VFS_REAL(f)->pMethods->xShmBarrier(VFS_REAL(f));
}

static inline int vfs_shm_unmap(sqlite3_file *f, int remove)
{
    return VFS_REAL(f)->pMethods->xShmUnmap(VFS_REAL(f), remove);
}

static const sqlite3_io_methods vfs_methods = {
    .iVersion = 2, /* without xFetch: reads go through xRead */
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_device,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static inline int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
                           int *ret_flags)
{
    struct vfs_file *file = (struct vfs_file *)f;
    int rc = vfs_pass(VFS_OPEN, SQLITE_CANTOPEN);

    (void)vfs;
    file->base.pMethods = NULL;
    if (rc != SQLITE_OK)
        return rc;
    file->real = calloc(1, (size_t)vfs_faults.real->szOsFile);
    rc = vfs_faults.real->xOpen(vfs_faults.real, name, file->real, flags, ret_flags);
    if (file->real->pMethods != NULL)
        file->base.pMethods = &vfs_methods;
    else
        free(file->real);
    return rc;
}

static inline int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    VFS_CALL(VFS_DELETE, SQLITE_IOERR_DELETE,
             vfs_faults.real->xDelete(vfs_faults.real, name, sync));
}

static inline int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    VFS_CALL(VFS_ACCESS, SQLITE_IOERR_ACCESS,
             vfs_faults.real->xAccess(vfs_faults.real, name, flags, ret));
}

/* Becomes what SQLite uses for every database that is opened from now on. */
static inline void vfs_install(void)
{
    vfs_faults.real = sqlite3_vfs_find(NULL);
    vfs_faults.vfs = *vfs_faults.real;
    vfs_faults.vfs.zName = "failing";
    vfs_faults.vfs.pNext = NULL;
    vfs_faults.vfs.szOsFile = (int)sizeof(struct vfs_file);
    vfs_faults.vfs.xOpen = vfs_open;
    vfs_faults.vfs.xDelete = vfs_delete;
    vfs_faults.vfs.xAccess = vfs_access;
    if (sqlite3_vfs_register(&vfs_faults.vfs, 1) != SQLITE_OK)
        abort();
}

#endif
