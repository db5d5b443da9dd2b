import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { ENGINE } from './vite.config.js';

const OUT = '../dist/elements';

/** The sample networks go with the script. */
function withModels() {
  return {
    name: 'fewerbits-models',
    apply: 'build',
    closeBundle: () =>
      cp(
        fileURLToPath(new URL('./public/models', import.meta.url)),
        fileURLToPath(new URL(`${OUT}/models`, import.meta.url)),
        { recursive: true, filter: (name) => !/PROVENANCE/.test(name.split(/[\\/]/).at(-1) ?? '') },
      ),
  };
}

/** The figures for other people's pages: one script, and beside it what it fetches. */
export default defineConfig({
  base: './',
  logLevel: 'warn',
  publicDir: false,
  plugins: [withModels()],
  worker: { format: 'es', rolldownOptions: { output: { codeSplitting: { groups: [ENGINE] } } } },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: fileURLToPath(new URL('./elements.js', import.meta.url)),
      output: { entryFileNames: 'elements.js' },
    },
  },
});
