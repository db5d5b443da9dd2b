import js from '@eslint/js';
import globals from 'globals';

/** Patterns hold from the repository's root (`cargo xtask test`) and from www/ (editors) alike. */
export default [
  { ignores: ['**/node_modules/**', '**/dist/**', '**/pkg/**', '**/target/**', '**/lib/wasm/**', '**/public/**'] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 'latest', sourceType: 'module' },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-console': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
      'no-self-compare': 'error',
      'no-constructor-return': 'error',
      'array-callback-return': 'error',
      // Names come from strangers' files: text reaches the page as text.
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Text reaches the page as text: use textContent or a Lit template.' },
        { property: 'outerHTML', message: 'Text reaches the page as text: use textContent or a Lit template.' },
        { property: 'insertAdjacentHTML', message: 'Text reaches the page as text.' },
        { object: 'document', property: 'write', message: 'Text reaches the page as text.' },
      ],
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'lit/directives/unsafe-html.js', message: 'Text reaches the page as text.' }] },
      ],
    },
  },
  { files: ['**/*.js'], languageOptions: { globals: { ...globals.browser } } },
  {
    files: ['**/engine/worker*.js'],
    languageOptions: {
      globals: { ...Object.fromEntries(Object.keys(globals.browser).map((k) => [k, 'off'])), ...globals.worker },
    },
  },
  {
    files: ['**/lib/**/*.js'],
    languageOptions: {
      globals: {
        ...Object.fromEntries(Object.keys(globals.browser).map((k) => [k, 'off'])),
        ...globals['shared-node-browser'],
      },
    },
  },
  { files: ['**/lib/cli.js'], rules: { 'no-console': 'off' } },
  {
    files: ['**/tests/**/*.js', '**/benches/**/*.{js,mjs}', '**/xtask/js/**', '**/*.test.js', '**/*.config.js'],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: { 'no-console': 'off' },
  },
];
