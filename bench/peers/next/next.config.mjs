// Next.js settings: nothing beyond the defaults, except that the workspace root is this directory.
/** @type {import('next').NextConfig} */
export default {
  poweredByHeader: false,
  turbopack: { root: import.meta.dirname },
};
