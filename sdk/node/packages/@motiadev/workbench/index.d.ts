export * from '../../motia/workbench.js'
