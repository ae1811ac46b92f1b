// Package codec turns the bytes of an image file into RGB pixels, as Pillow 13's Image.open(f).convert("RGB") sees
// them, to the byte.
//
// One file a format. Sniff names the format by its first bytes, ReadHeader gives size and orientation without decoding
// any pixel, Decode decodes. JPEG by libjpeg lives elsewhere (it reads scanlines straight into the resizer);
// DecodeJPEGGo here is the fallback without libjpeg. The native libraries (libwebp, libtiff) are opened at run time:
// see Infos for which one was found.
//
// Every function is safe for concurrent use. Nothing here keeps a reference to data or buf after it returns, but the
// returned Image's Pix may be buf's memory.
package codec
