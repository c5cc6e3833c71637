# Everything outside comes from the distribution (made for Debian 12), found by pkg-config.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(AV REQUIRED IMPORTED_TARGET libavcodec>=59 libavformat>=59 libavutil>=57
                  libswscale>=6)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp>=1.2 libwebpdemux>=1.2)
pkg_check_modules(LCMS REQUIRED IMPORTED_TARGET lcms2>=2.12)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc>=2.4)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.85)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.38)
pkg_check_modules(MHD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls>=3.7)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp>=2.5)
# oneDNN comes without a .pc file. Built with OpenMP, whose runtime it brings.
find_path(ZT_DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)
find_library(ZT_DNNL dnnl REQUIRED)
