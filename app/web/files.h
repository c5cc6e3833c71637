/* files.h - the table that cmake/embed.cmake writes. Inside app/web/ only. */
#ifndef ZT_WEB_FILES_H
#define ZT_WEB_FILES_H

#include "web/web.h"

extern const struct zt_web_file zt_web_files[];
extern const int zt_web_files_count;

#endif
