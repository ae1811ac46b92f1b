// Package codec turns the bytes of an image file into RGB pixels, as Pillow 13's Image.open(f).convert("RGB") sees
// them, to the byte.
//
// One file a format. Sniff names the format by its first bytes, ReadHeader gives size and orientation without decoding
// any pixel, Decode decodes; turning is left to the caller. JPEG by libjpeg lives elsewhere (it reads scanlines straight
// into the resizer); DecodeJPEGGo here is the fallback without libjpeg. The native libraries (libwebp, libtiff) are opened
// at run time: see Infos for which one was found.
//
// # Where it differs from Pillow
//
// Known, in both cases on files that hardly anybody has: TIFF in CIELAB colours is refused (Pillow converts it by a
// colour management system), and a PNG file whose compressed data are damaged behind the last row is refused where zlib
// has not yet looked at the damage. A file whose metadata Pillow can't read has orientation 1 here, where Pillow's
// exif_transpose raises.
//
// Without libtiff, TIFF compressed by JPEG, LZMA, WebP, ThunderScan or two-dimensional Group 3, and compressed YCbCr, are
// refused, and damaged data may be judged otherwise; without libwebp, a damaged alpha channel goes unnoticed. Sound files
// of all other kinds come out the same to the byte. JPEG in Go is up to three levels off, and refuses arithmetic coding.
//
// Every function is safe for concurrent use. Nothing here keeps a reference to data or buf after it returns, but the
// returned Image's Pix may be buf's memory.
package codec
