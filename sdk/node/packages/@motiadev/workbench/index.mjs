export * from '../../motia/workbench.mjs'
